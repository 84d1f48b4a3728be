# A file system in memory.
FROM alpine:3.21
RUN --mount=type=tmpfs,target=/m echo gone >/m/one
