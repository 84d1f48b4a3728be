# Patterns for names.
FROM scratch
COPY a* /a/
COPY docs/*.md /docs/
COPY app/*/?.mjs /mjs/
