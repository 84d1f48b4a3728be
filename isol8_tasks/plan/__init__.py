"""What should exist, what is stale, and why: decided without disk, clock, environment or Docker.

model        the values that planning is about: an image's inputs and specification
rendering    the Dockerfile of a custom or named image
secret_steps the same with the secrets of [build.secrets]
packaged     the images with packages: custom and named ones
graph        deps.toml, the Dockerfile and the engine's images to the images that should exist
depth        how long a chain of parents may be
fingerprint  the key of an image's inputs, and the inputs in short
differences  what differs between remembered inputs and the current ones
description  what the labels of an image are to say of it, from one look at what it is built on
reasons      why an image is stale: a closed set of kinds with data
decision     what has to be done for an image, as a value
staleness    decides it: up to date, stale, not built, …; its words are in report
current      whether an image was built from what it should be built from
explanation  every reason why an image is not up to date
"""
