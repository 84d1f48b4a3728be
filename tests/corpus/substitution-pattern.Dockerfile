# needs: ${x#y}
# A substitution by a pattern.
FROM scratch
ARG NAME=docs/one
COPY docs/${NAME#docs/} /a
