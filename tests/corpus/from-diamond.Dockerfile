# Two stages stand on one, and a fourth takes from both.
FROM alpine:3.21 AS base
COPY a /base
FROM base AS left
COPY b /left
FROM base AS right
COPY docs/one /right
FROM scratch AS joined
COPY --from=left /left /
COPY --from=right /right /
