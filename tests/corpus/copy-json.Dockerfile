# An array, for a name with a blank.
FROM scratch
COPY ["read me", "a", "/x/"]
