# A command for the shell, and one as an array.
FROM alpine:3.21
RUN echo "two  blanks" >/one
RUN ["/bin/sh", "-c", "echo array >/two"]
