# What is held back and never carried out: the target keeps it, and others don't.
FROM alpine:3.21 AS parent
COPY b /b
ONBUILD COPY a /a
FROM scratch AS target
COPY --from=parent /b /
