# needs: ADD --checksum
# A file by its address, which a checksum vouches for.
FROM alpine:3.21
ADD --checksum=sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb http://address/a /a
COPY b /b
