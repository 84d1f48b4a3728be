"""The programs that run in the step of a build, each alone."""
