# An argument counts for what stands below it.
FROM alpine:3.21
RUN echo "before $VERSION" >/before
ARG VERSION=1
RUN echo "after $VERSION" >/after
