# needs: variables in --mount
# Source and target of a mount come from variables.
FROM alpine:3.21
ARG WHAT=docs
ENV WHERE=/m
RUN --mount=source=$WHAT,target=$WHERE ls -R /m >/seen
