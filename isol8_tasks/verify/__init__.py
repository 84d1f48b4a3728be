"""Runs an image as each kind of isol8's clients does, and judges it.

verifier       containers of one image, a kind of clients each, and their verdict
verifications  verifies the images of a run, side by side
clients        how isol8's releases run an image, as data
emulation      images for another platform than the engine's own
conditions     the kinds of containers that make a difference
probe          the script that runs inside
judging        what the probe printed, as findings
system         Alpine packages beside those of a runtime
matching       a user's pattern looked for in what was printed, with a time limit
findings       what can be wrong with an image
notes          what users should know of packages that pass
probes/        the parts of the script that are the same for every runtime
"""
