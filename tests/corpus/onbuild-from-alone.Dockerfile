# needs: triggers that take from a stage of their own
# A trigger takes from a stage which only its children need.
FROM alpine:3.21 AS source
COPY a /a
FROM alpine:3.21 AS parent
COPY b /b
ONBUILD COPY --from=source /a /got
FROM parent AS child
COPY docs/one /one
