# Files of the context, mounted.
FROM alpine:3.21
RUN --mount=source=docs/one,target=/m/one cat /m/one >/one
RUN --mount=type=bind,src=app,dst=/m,ro ls /m >/app
