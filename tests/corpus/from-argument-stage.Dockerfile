# An argument says which stage to stand on.
# builds with: KIND=small
ARG KIND=large
FROM alpine:3.21 AS large
COPY a b docs/one /large/
FROM alpine:3.21 AS small
COPY a /small/
FROM ${KIND} AS target
COPY run.sh /run.sh
