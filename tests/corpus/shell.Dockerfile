# Another shell, and back.
FROM alpine:3.21 AS base
SHELL ["/bin/sh", "-e", "-c"]
RUN echo one >/one
SHELL ["/bin/sh", "-c"]
RUN echo two >/two
FROM base AS child
RUN echo three >/three
