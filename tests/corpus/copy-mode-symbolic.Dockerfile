# needs: COPY --chmod=u=rw
# A mode in letters, and one in a variable.
FROM alpine:3.21
ARG MODE=600
COPY --chmod=u=rwX,go=rX docs /docs
COPY --chmod=$MODE a /a
