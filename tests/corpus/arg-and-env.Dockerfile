# A variable wins over an argument of the same name.
# builds with: VALUE=passed
FROM alpine:3.21
ARG VALUE=argument
ENV VALUE=variable
RUN echo "$VALUE" >/value
