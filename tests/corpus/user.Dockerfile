# Who runs what.
FROM alpine:3.21
USER nobody
RUN id -u >/tmp/id
USER root
