# needs: ${x+y}
# A form that asks whether the variable is set, in a RUN, an ENV and a WORKDIR.
FROM alpine:3.21
ARG EMPTY=
ARG FILE=a
ENV SET=${EMPTY+set} UNSET=${NONE+set}
WORKDIR /${FILE+given}
RUN echo ${FILE-none} >one
