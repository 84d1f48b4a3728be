# Nothing below it, and one file in it.
FROM scratch
COPY a /a
