"""Runs an image as isol8's clients do, and tells what it does not hold of what it promises."""
