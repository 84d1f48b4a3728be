# The executable bit goes along.
FROM alpine:3.21
COPY run.sh /run.sh
COPY a /a
RUN ls -l /run.sh /a >/modes
