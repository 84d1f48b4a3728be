# The platform of this engine, given by the builder.
FROM --platform=$BUILDPLATFORM alpine:3.21 AS tools
COPY a /a
FROM --platform=$TARGETPLATFORM alpine:3.21 AS target
COPY --from=tools /a /a
