"""What happens to one image: it is built, promoted, rolled back, removed, or sent to a registry.

build      builds under a private tag, verifies, and only then promotes
taking     takes a candidate that is there instead of a build
pinned     the Dockerfile that installs exactly the resolved versions
baking     images as targets of docker's bake
tidying    removes what installers leave behind
secretly   gives installers the secrets that they know
caching    lets installers keep what they download, outside of images
programs/  what runs in the step of a build
sameness   whether a rebuild came to what is in use
ahead      builds the labels of a promotion while the image is verified
promotion  which tags an image has, and how it gets or loses them
rollback   restores the previous build and holds it
prune      what nothing uses any more, and its removal
expiry     what nothing needs any more in a registry
transfer   pushes images to a registry, and pulls them from it
publishing builds for another platform go to a registry, and are in use there alone
refusals   what is not pushed
"""
