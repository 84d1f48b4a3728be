# needs: RUN --network
# A step without a network.
FROM alpine:3.21
RUN --network=none echo alone >/alone
