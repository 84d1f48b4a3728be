"""A Dockerfile as BuildKit reads it, and what a target is built from.

lexer         words of an instruction: quotes, escapes, variables, flags
substitution  what patterns in a variable take away or replace
checks        what BuildKit refuses in a well-formed instruction
syntax        the text as instructions
builder       what builds: its platform, and what it writes
variables     build arguments and environment at a point of the file
mounts        the mounts of a RUN, as they are read and as they count
stages        stages, and what each is based on and copies from
environment   what a step finds set in a stage that only files are copied from
places        the folder that such a stage works in, and where files go
canonical     an instruction in the form in which it counts
globs         path patterns, as moby matches them
ignore        what .dockerignore leaves of a build context
taking        the files of the build context that steps take
copying       what COPY, ADD and mounts take, and how a COPY counts
steps         what a target is built from, as a value
fallback      that where something can't be read: everything
closure       that of a target
slicing       the part of a Dockerfile that one target needs
"""
