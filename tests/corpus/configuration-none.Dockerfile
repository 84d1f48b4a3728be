# Nothing but configuration, on a stage and on scratch.
FROM alpine:3.21 AS one
ENV A=1
LABEL a=1
FROM one AS two
CMD ["x"]
FROM scratch AS three
COPY a /a
LABEL b=2
