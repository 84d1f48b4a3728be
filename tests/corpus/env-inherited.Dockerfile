# warns
# PATH is the upstream image's: what is copied by it can't be known.
FROM alpine:3.21
ENV PATH=/x:$PATH
COPY a /a
ENV NAME=${UPSTREAM_ONLY:-docs}
COPY $NAME /docs
