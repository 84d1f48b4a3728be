# A default in the stage wins over one before FROM.
ARG VERSION=1
FROM alpine:3.21
ARG VERSION=2
RUN echo "$VERSION" >/version
