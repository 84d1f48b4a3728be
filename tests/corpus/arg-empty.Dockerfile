# Set to nothing is not unset.
# builds with: EMPTY=
FROM alpine:3.21
ARG EMPTY=full
ARG UNSET
ENV A=${EMPTY:-default} B=${UNSET:-default} C=${EMPTY:+set} D=${UNSET:+set}
COPY a /a
