# needs: COPY --parents
# counts more: wildcards are not applied here
# Files that keep their folders.
FROM alpine:3.21
COPY --parents docs/deep/three app/*/x.mjs /kept/
