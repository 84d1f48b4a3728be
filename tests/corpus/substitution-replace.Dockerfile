# needs: ${x/y/z}
# warns
# A substitution that replaces, which is not worked out here: all counts.
FROM scratch
ARG NAME=docs/one
COPY ${NAME/one/two.md} /a
