# needs: here-documents
# A stage that files are taken from.
FROM alpine:3.21 AS build
ARG GREETING=hello
COPY <<END /greeting
$GREETING
END
CMD ["sh"]
FROM scratch
COPY --from=build /greeting /
