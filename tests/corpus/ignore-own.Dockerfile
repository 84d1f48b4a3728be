# The Dockerfile's own ignore file comes before the general one.
FROM scratch
COPY . /all/
