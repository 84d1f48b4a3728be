# needs: HEALTHCHECK --start-interval
# How often while it starts.
FROM alpine:3.21
HEALTHCHECK --start-period=20s --start-interval=2s --retries=3 CMD true
