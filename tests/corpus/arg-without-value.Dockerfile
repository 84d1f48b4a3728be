# Arguments that have no value, in a stage that files are taken from, and in the target.
FROM alpine:3.21 AS build
ARG NONE
RUN echo ${NONE:-none} >/one
ARG VERSION=1
RUN echo $VERSION >/two
FROM alpine:3.21
ARG NONE
COPY --from=build /one /two /
