# The whole context, mounted.
FROM alpine:3.21
RUN --mount=target=/m ls /m >/all
