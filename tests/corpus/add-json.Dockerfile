# ADD of an array.
FROM scratch
ADD ["read me", "docs/one", "/x/"]
