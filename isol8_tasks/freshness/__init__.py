"""Whether images are as new as their sources: upstream images, packages, age, the end of Alpine's releases.

survey     what is behind, of all images
news       packages that have newer versions
repository what apk says of them
upgrades   which exact versions could be newer
resolvers  asks package sources, in a container of the image
answers    what a source answered, as values
changes    what a rebuild changed
model      the values of a survey
alpine     until when an Alpine release gets fixes
programs/  what runs in the container that asks
"""
