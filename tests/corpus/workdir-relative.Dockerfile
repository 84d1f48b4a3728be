# Folders that are made on the way, and a relative destination.
FROM alpine:3.21
WORKDIR /w
WORKDIR deeper
COPY a ./
ARG WHERE=/here
WORKDIR ${WHERE}
COPY b b
