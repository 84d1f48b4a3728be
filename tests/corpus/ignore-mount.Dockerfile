# An ignored file is not mounted either.
FROM alpine:3.21
RUN --mount=target=/m ls /m /m/docs >/all
