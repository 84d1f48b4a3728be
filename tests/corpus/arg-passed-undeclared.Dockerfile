# What is passed and not declared means nothing.
# builds with: STRANGER=1
FROM alpine:3.21
RUN echo "$STRANGER" >/stranger
