# An argument that an upstream image holds back, with a value that is passed.
# builds with: FILE=run.sh
FROM alpine:copies
COPY b /b
