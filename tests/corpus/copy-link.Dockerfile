# needs: COPY --link
# Layers that don't depend on what is below them.
FROM alpine:3.21 AS source
COPY docs /docs
FROM alpine:3.21
COPY --link a* /as/
COPY --link --from=source /docs /docs
ADD --link --chown=1:1 b /b
