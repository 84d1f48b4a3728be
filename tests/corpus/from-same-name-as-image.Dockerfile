# A stage that is called like the image it stands on.
FROM alpine:3.21 AS alpine
COPY a /a
FROM alpine AS child
COPY b /b
