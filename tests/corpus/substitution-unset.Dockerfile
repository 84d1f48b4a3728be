# needs: ${x-y}
# A form that asks whether the variable is set, not what it holds.
FROM scratch
ARG EMPTY=
COPY ${EMPTY-a}b ${NONE-a} /x/
