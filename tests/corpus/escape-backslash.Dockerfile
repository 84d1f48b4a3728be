# escape=\
# The character that would be it anyway.
FROM alpine:3.21
RUN echo one \
    >/one
