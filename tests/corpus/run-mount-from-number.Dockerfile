# warns
# Quotes within a mount are not read here: all counts.
FROM alpine:3.21 AS one
COPY a /a
FROM alpine:3.21
RUN --mount="from=one,source=/a,target=/m" cat /m >/got
RUN --mount='"type=tmpfs",target=/m' ls /m >/list
