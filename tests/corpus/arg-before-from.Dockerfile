# An argument before FROM is seen in a stage that declares it again, and nowhere else.
ARG VERSION=1
FROM alpine:3.21 AS seen
ARG VERSION
RUN echo "$VERSION" >/version
FROM alpine:3.21 AS unseen
RUN echo "$VERSION" >/version
