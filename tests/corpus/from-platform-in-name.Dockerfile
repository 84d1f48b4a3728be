# Which stage is built depends on the platform of the engine.
FROM alpine:3.21 AS build-amd64
COPY a /a
FROM build-${TARGETARCH} AS target
COPY b /b
