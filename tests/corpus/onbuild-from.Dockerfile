# A trigger takes from a stage that its parent takes from as well.
FROM alpine:3.21 AS source
COPY a /a
FROM alpine:3.21 AS parent
COPY --from=source /a /parent
ONBUILD COPY --from=source /a /child
FROM parent AS child
COPY docs/one /one
