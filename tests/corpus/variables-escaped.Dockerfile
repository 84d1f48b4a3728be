# A dollar that is none, in a name and in a variable.
FROM alpine:3.21
ENV A=\$b B='$b'
COPY \$b /dollar
LABEL price="\$5"
