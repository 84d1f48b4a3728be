# needs: COPY --newest
# warns
# A flag that is not known here: all counts.
FROM scratch AS one
COPY --newest a /a
FROM scratch AS two
COPY b /b
