# A folder with all that is in it.
FROM scratch
COPY docs /docs
