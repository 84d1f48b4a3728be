# The whole context, the Dockerfile among it.
FROM scratch
COPY . /all/
