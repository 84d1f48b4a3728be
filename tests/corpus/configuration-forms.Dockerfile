# The same by the shell.
FROM alpine:3.21
COPY a /a
ENTRYPOINT exec sh
CMD echo  hello
HEALTHCHECK CMD test -e /a
