# needs: ADD of an address
# A file by its address, and by one that depends on a variable.
FROM alpine:3.21
ARG NAME=a
ADD http://address/of/a /one
ADD http://address/of/$NAME /two
COPY b /b
