# The second stage is nobody's.
FROM alpine:3.21 AS base
COPY a /a
FROM alpine:3.21 AS nobody
COPY b /b
RUN echo never >/never
FROM base AS target
COPY docs/one /one
