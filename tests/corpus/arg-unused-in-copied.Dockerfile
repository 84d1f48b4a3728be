# An argument of a stage that only files are taken from, above and below its last step.
FROM alpine:3.21 AS build
ARG ABOVE=1
RUN echo built >/built
ARG BELOW=1
FROM scratch
COPY --from=build /built /
