# needs: ${x#y}
# warns
# A substitution by a pattern, which is not worked out here: all counts.
FROM scratch
ARG NAME=docs/one
COPY docs/${NAME#docs/} /a
