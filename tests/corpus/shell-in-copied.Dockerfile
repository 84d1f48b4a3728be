# The shell of a stage that only files are taken from, above and below its last step.
FROM alpine:3.21 AS build
SHELL ["/bin/sh", "-e", "-c"]
RUN echo one >/one
SHELL ["/bin/sh", "-c"]
FROM scratch
COPY --from=build /one /
