# A pattern that folders match, too.
FROM scratch
COPY d* /d/
COPY app/l* /l/
