# A pattern is about the stage here, and about the context nowhere.
FROM scratch AS build
COPY docs /d
COPY a* /
FROM scratch
COPY --from=build /a* /x/
COPY --from=build /d/deep /deep
