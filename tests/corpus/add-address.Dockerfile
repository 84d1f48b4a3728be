# needs: ADD of an address
# A file by its address, and by one that depends on a variable.
FROM alpine:3.21
ARG NAME=a
ADD http://address/a /one
ADD http://address/$NAME /two
COPY b /b
