# A stage, a folder of another and an image, mounted.
FROM alpine:3.21 AS one
RUN echo one >/one
FROM alpine:3.21 AS two
COPY docs /d
FROM alpine:3.21 AS unneeded
RUN echo unneeded >/unneeded
FROM alpine:3.21 AS target
RUN --mount=from=one,target=/m cat /m/one >/got
RUN --mount=type=bind,from=two,source=/d,target=/m ls /m >/list
RUN --mount=from=alpine:3.21,source=/etc,target=/m cat /m/os-release >/release
