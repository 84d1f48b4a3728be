# An argument of a stage is known in what stands on it.
FROM alpine:3.21 AS base
ARG FILE=a
COPY b /b
FROM base AS child
COPY ${FILE} /copied
