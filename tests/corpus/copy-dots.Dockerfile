# Dots, slashes and a way out of the context and back.
FROM scratch
COPY ./docs/../a /a
COPY /b /b
COPY ../docs/one /one
COPY docs/deep/ /deep/
