# Owner and mode.
FROM alpine:3.21
COPY --chown=100:101 a /a
COPY --chmod=640 b /b
COPY --chmod=755 --chown=100 docs /docs
ADD --chown=1:1 docs/one /one
