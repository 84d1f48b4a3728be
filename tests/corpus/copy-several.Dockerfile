# Several files into one folder.
FROM scratch
COPY a b docs/one /x/
