# What is ignored is nobody's, though a folder of it is copied.
FROM alpine:3.21 AS one
COPY docs /docs
FROM alpine:3.21 AS two
COPY app /app
