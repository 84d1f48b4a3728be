# Several arguments in one instruction.
# builds with: SECOND=two
FROM alpine:3.21
ARG FIRST=1
ARG SECOND="2 3"
ARG THIRD='4 5'
COPY a /a
LABEL first=$FIRST second=$SECOND third=$THIRD
