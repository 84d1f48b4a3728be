# needs: ${x?y}
# Forms that refuse a variable which is not set.
# builds with: NAME=docs
FROM scratch
ARG NAME
ARG OTHER=b
COPY ${NAME:?needed}/one ${OTHER?needed} /x/
