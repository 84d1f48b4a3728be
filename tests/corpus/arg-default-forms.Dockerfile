# The forms ${x:-y} and ${x:+y}, one within another.
# builds with: FIRST=one
FROM alpine:3.21
ARG FIRST
ARG SECOND=${FIRST:+${FIRST}-and-more}
ARG THIRD=${NONE:-${SECOND:-fallback}}
RUN echo $FIRST $SECOND $THIRD >/three
