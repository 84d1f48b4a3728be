# Each stage stands on the one before it.
FROM alpine:3.21 AS one
COPY a /one
FROM one AS two
COPY b /two
FROM two AS three
WORKDIR /three
