# needs: here-documents
# Files in the file, one with variables and one without.
FROM alpine:3.21
ARG VERSION=1
COPY <<one <<-"two" /files/
version $VERSION
one
	$VERSION
	two
COPY a /a
