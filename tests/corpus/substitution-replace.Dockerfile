# needs: ${x/y/z}
# A substitution that replaces.
FROM scratch
ARG NAME=docs/one
COPY ${NAME/one/two.md} /a
