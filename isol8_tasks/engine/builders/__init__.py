"""The ways to build an image on an engine.

choice    which of them builds in this run, and building by it
buildkit  BuildKit through the engine's API
session   what BuildKit asks for in a build through the engine's API: secrets, and logins of registries
buildx    `docker buildx build`, for builders elsewhere and engines that refuse BuildKit through their API
plugin    what docker's plugin buildx says of itself and of its builders
pushed    results of builders elsewhere by way of a registry
results   results of builders elsewhere, without the layers that the engine has
layouts   images of the engine as OCI layouts, for builders elsewhere
classic   the classic builder, for engines without BuildKit
archive   the build context as a tar archive
progress  a builder's output as events
"""
