# Variables of a stage that only files are taken from.
FROM alpine:3.21 AS build
ENV ABOVE=1
RUN echo $ABOVE >/built
ENV BELOW=1
FROM scratch
COPY --from=build /built /
