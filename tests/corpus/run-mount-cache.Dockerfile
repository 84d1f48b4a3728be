# A cache that stays with the builder.
FROM alpine:3.21
RUN --mount=type=cache,target=/cache echo cached >/cache/one
RUN --mount=type=cache,id=other,target=/cache,sharing=locked echo cached >/two
