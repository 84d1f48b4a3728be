# check=skip=all
# A directive that newer builders know, and a comment to older ones.
FROM alpine:3.21
COPY a /a
