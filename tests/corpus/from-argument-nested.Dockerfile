# A default that is made of another argument.
ARG VERSION=3.21
ARG IMAGE=alpine:${VERSION}
FROM ${IMAGE}
COPY a /a
