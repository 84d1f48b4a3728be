# What a stage holds back is carried out by the stage that stands on it.
FROM alpine:3.21 AS parent
COPY b /b
ONBUILD COPY a /a
ONBUILD RUN echo held back >/held
FROM parent AS child
COPY docs/one /one
