# needs: ADD --unpack
# Flags of ADD that are about archives and repositories.
FROM alpine:3.21
ADD --unpack=false a /a
ADD --keep-git-dir=false b /b
