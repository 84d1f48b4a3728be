# What is said twice: the last one wins, and both stay in the history.
FROM alpine:3.21
CMD ["one"]
COPY a /a
CMD ["two"]
HEALTHCHECK NONE
ENV A=1
ENV A=2
