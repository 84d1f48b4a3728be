# Both forms of ENV, quotes and escapes.
FROM alpine:3.21
ENV OLD the old form
ENV A=1 B="two words" C='$A' D=three\ words
ENV E=$A/$B F="${A}:${NONE:-none}"
COPY a /a
