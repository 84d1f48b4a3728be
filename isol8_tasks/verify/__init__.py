"""Runs an image as each kind of isol8's clients does, and tells what it does not hold of what it promises."""
