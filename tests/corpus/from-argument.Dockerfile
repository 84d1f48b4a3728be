# The image that a stage stands on, by an argument with a default.
ARG IMAGE=alpine:3.21
FROM $IMAGE AS one
COPY a /a
