# What an upstream image holds back is carried out first: the tests give this one ONBUILD RUN.
FROM alpine:onbuild AS child
COPY a /a
