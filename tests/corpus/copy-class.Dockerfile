# A class of characters, and a file that is called like one.
FROM scratch
COPY a[1-2] /a/
COPY a[^2] /b/
COPY [[]z] /z/
