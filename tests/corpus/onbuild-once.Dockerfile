# Grandchildren don't get what their grandparent held back.
FROM alpine:3.21 AS parent
COPY b /b
ONBUILD COPY a /a
FROM parent AS child
COPY docs/one /one
FROM child AS grandchild
COPY docs/two.md /two
