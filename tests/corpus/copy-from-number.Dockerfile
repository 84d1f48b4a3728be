# From stages by number, one of them with a name as well.
FROM alpine:3.21 AS build
RUN echo built >/built
FROM scratch
COPY a /a
FROM scratch AS target
COPY --from=0 /built /
COPY --from=1 /a /
