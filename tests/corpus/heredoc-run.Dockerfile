# needs: here-documents
# A script in the file.
FROM alpine:3.21
RUN <<END
echo one >/one
echo two >/two
END
