# An owner by name, which is looked up in the image.
FROM alpine:3.21
COPY --chown=nobody:nobody a /a
