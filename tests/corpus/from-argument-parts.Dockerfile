# Name and version of the image, each by an argument of its own, one of them with a default where it is used.
ARG NAME=alpine
FROM ${NAME}:${VERSION:-3.21} AS one
COPY a /a
