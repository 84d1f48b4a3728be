# What is taken was taken from elsewhere.
FROM alpine:3.21 AS one
COPY a /a
FROM scratch AS two
COPY --from=one /a /b
FROM scratch AS three
COPY --from=two /b /c
