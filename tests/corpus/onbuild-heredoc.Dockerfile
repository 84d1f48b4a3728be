# needs: here-documents
# What is held back has one.
FROM alpine:3.21 AS parent
COPY b /b
ONBUILD RUN <<END
echo held >/held
END
ONBUILD COPY <<-one /one
	held
	one
FROM parent
COPY a /a
