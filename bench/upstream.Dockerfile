# What isol8's own Dockerfile installs, less git and github-cli, which stand-ins lack, and its scripts: to compare sizes
# and start-up with.
FROM alpine:3.21 AS base
RUN apk add --no-cache tini curl ca-certificates iptables bash \
    && addgroup -S sandbox && adduser -S sandbox -G sandbox -h /sandbox
WORKDIR /sandbox
ENTRYPOINT ["/sbin/tini", "--"]
FROM base AS python
RUN apk add --no-cache python3 py3-pip
FROM base AS node
RUN apk add --no-cache nodejs npm
FROM base AS bun
ARG BUN_INSTALL_URL=https://bun.sh/install
RUN apk add --no-cache unzip libstdc++ libgcc && curl -fsSL "$BUN_INSTALL_URL" | bash \
    && mv /root/.bun/bin/bun /usr/local/bin/bun && ln -s /usr/local/bin/bun /usr/local/bin/bunx
FROM denoland/deno:alpine AS deno
RUN apk add --no-cache tini curl ca-certificates iptables bash \
    && addgroup -S sandbox && adduser -S sandbox -G sandbox -h /sandbox
WORKDIR /sandbox
ENTRYPOINT ["/sbin/tini", "--"]
FROM base AS bash
