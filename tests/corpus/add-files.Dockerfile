# ADD of files and folders.
FROM scratch
ADD a /a
ADD docs /docs/
ADD app/lib/*.txt /txt/
