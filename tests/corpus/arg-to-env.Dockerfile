# An argument that lives on as a variable.
# builds with: VALUE=passed
FROM alpine:3.21 AS base
ARG VALUE=default
ENV KEPT=${VALUE}
FROM base AS child
RUN echo "$KEPT $VALUE" >/value
