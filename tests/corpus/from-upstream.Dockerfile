# One stage on an upstream image.
FROM alpine:3.21
COPY a /a
CMD ["cat", "/a"]
