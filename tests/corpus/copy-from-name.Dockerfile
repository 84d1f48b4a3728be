# From a stage by name.
FROM alpine:3.21 AS build
RUN echo built >/built
FROM scratch AS target
COPY --from=build /built /
