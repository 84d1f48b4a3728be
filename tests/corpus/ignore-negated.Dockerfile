# Everything is ignored but what is named.
FROM scratch
COPY . /all/
COPY a* /a/
