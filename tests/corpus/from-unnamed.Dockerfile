# The last stage has no name, and neither has the one that it takes from.
FROM alpine:3.21
COPY a /a
FROM alpine:3.21
COPY b /b
FROM scratch
COPY --from=0 /a /
