# Quotes, variables and hashes that the shell reads.
FROM alpine:3.21
RUN echo '# no comment' "$HOME" \$HOME >/one # a comment of the shell
