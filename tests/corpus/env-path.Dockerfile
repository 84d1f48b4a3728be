# The search path is extended, and nothing is copied by it.
FROM alpine:3.21
ENV PATH=/opt/bin:$PATH
COPY run.sh /opt/bin/run
