# needs: COPY --link
# A flag of newer builders.
FROM scratch
COPY --link a /a
