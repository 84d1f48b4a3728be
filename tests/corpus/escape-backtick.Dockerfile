# escape=`
# Another character that continues lines, and a backslash that means itself.
FROM alpine:3.21
RUN echo one >/one && `
    echo two >/two
ENV WINDOWS=c:\windows QUOTED=`"x`"
COPY a `
     b /files/
