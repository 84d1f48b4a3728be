# needs: COPY --exclude
# counts more: what is left out counts here all the same
# Files that a pattern leaves out.
FROM alpine:3.21
COPY --exclude=*.md --exclude=deep docs /docs
ADD --exclude=*.txt app /app
