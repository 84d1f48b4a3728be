# From an upstream image.
FROM scratch
COPY --from=alpine:3.21 /etc/os-release /etc/
