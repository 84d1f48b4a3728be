# needs: here-documents
# Variables are replaced unless the name is quoted, and a RUN leaves them to its shell.
# builds with: VERSION=2
FROM alpine:3.21
ARG VERSION
ARG UNUSED=1
COPY <<one <<'two' /files/
version $VERSION, ${VERSION:+set}
one
version $UNUSED
two
ADD <<"three" /three
$VERSION
three
RUN <<END
echo "$VERSION" >/version
END
