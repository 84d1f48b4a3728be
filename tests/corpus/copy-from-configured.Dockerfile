# The configuration of a stage that only files are taken from means nothing.
FROM alpine:3.21 AS build
LABEL kind=build
EXPOSE 80
VOLUME /data
USER root
RUN echo built >/built
CMD ["true"]
ENTRYPOINT ["/bin/true"]
HEALTHCHECK --interval=5s CMD true
STOPSIGNAL SIGINT
FROM scratch
COPY --from=build /built /
