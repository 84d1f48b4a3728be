# needs: RUN --network
# In a stage that files are taken from, beside a mount.
FROM alpine:3.21 AS build
RUN --network=none --mount=source=docs,target=/docs cp /docs/one /one
RUN --network=default true
FROM scratch
COPY --from=build /one /
