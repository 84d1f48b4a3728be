# An argument with a default, passed.
# builds with: VERSION=2
FROM alpine:3.21
ARG VERSION=1
RUN echo "$VERSION" >/version
