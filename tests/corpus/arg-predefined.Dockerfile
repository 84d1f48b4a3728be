# What the builder itself sets.
FROM alpine:3.21
ARG TARGETARCH
ARG TARGETOS
RUN echo "$TARGETOS/$TARGETARCH" >/platform
