# A trigger with an argument that is passed to its child.
# builds with: VERSION=2
FROM alpine:3.21 AS parent
ONBUILD ARG VERSION=1
ONBUILD RUN echo $VERSION >/version
COPY a /a
FROM parent AS child
COPY b /b
