# needs: ADD of a repository
# A repository of git by its address, whole and a folder of it, at a commit that its branch and its tag name.
FROM alpine:3.21
ARG NAME=main
ADD git://address/repository.git /one
ADD git://address/repository.git#$NAME:folder /two
ADD --keep-git-dir=true git://address/repository.git#first /three
COPY b /b
