# A platform by an argument of the file.
ARG WHERE=linux/amd64
FROM --platform=${WHERE} alpine:3.21
COPY a /a
