# What goes into the image's configuration alone.
FROM alpine:3.21
COPY a /a
LABEL one=1 two="2 3" 'three'=4
EXPOSE 80 443/tcp 53/udp
VOLUME /one /two
VOLUME ["/three"]
HEALTHCHECK --interval=30s --timeout=5s --retries=2 CMD ["true"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/bin/sh"]
CMD ["-c", "true"]
USER 100:101
MAINTAINER someone
