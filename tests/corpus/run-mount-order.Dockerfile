# Several mounts of one step.
FROM alpine:3.21 AS one
COPY a /a
FROM alpine:3.21 AS two
COPY b /b
FROM alpine:3.21
RUN --mount=from=one,target=/m/one --mount=from=two,target=/m/two --mount=type=tmpfs,target=/t cat /m/one/a /m/two/b >/got
