# warns
# Variables where the upstream image may have a say.
FROM alpine:3.21
ARG OWNER=100
COPY --chown=${OWNER}:101 a /a
COPY --chown=$WHO b /b
COPY ${WHAT} /what/
