# A cache that begins with what a stage holds.
FROM alpine:3.21 AS seed
COPY docs /seed/docs
FROM alpine:3.21
RUN --mount=type=cache,from=seed,source=/seed,target=/cache,id=seeded ls /cache >/list
