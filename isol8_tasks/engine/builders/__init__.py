"""The ways to build an image on an engine.

choice    which of them builds in this run, and building by it
buildkit  BuildKit through the engine's API
buildx    `docker buildx build`, for engines that refuse BuildKit through their API
classic   the classic builder, for engines without BuildKit
archive   the build context as a tar archive
progress  a builder's output as events
"""
