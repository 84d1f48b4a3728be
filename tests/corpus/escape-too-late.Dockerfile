# A directive counts in the first lines alone.
# escape=`
FROM alpine:3.21
RUN echo one \
    >/one
