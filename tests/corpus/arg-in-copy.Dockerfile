# warns
# Arguments name what is copied, and where to; the last may come from the upstream image.
ARG FOLDER=docs
FROM alpine:3.21
ARG FOLDER
ARG FILE=one
COPY ${FOLDER}/${FILE} /${FILE:-x}/
COPY ${OTHER:-a} /
