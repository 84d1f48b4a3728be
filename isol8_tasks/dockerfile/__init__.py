"""A Dockerfile as BuildKit reads it, and what a target is built from.

lexer        words of an instruction: quotes, escapes, variables, flags
syntax       the text as instructions
substitution what patterns in a variable take away or replace
builder      what builds: its platform, and what it writes
variables    build arguments and environment at a point of the file
stages       stages, and what each is based on and copies from
environment  what a step finds set in a stage that only files are copied from
canonical    an instruction in the form in which it counts
globs        path patterns, as moby matches them
ignore       what .dockerignore leaves of a build context
closure      everything that a target is built from
slicing      the part of a Dockerfile that one target needs
"""
