# What an upstream image holds back copies files, declares arguments and sets variables: see _COPIES in builder.py.
FROM alpine:copies AS child
RUN echo $FILE $HELD >/known
FROM child AS grandchild
COPY run.sh /run.sh
FROM alpine:3.21
COPY --from=alpine:copies /etc/os-release /release
COPY --from=child /held /held
