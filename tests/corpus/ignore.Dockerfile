# An ignore file, with what it takes back in.
FROM scratch
COPY . /all/
