"""What images say of themselves: labels, tags, and the records made of them.

labels    the labels that record what an image was built from
triggers  the ONBUILD triggers of upstream images, and the label that remembers them
observed  what an engine has, as listed at one moment
candidates  the private tags of images that are not in use yet
references  names of images: registry, repository, tag and digest
holds     which images are held after a rollback
choice    which image a request gets, by runtime and packages
pushed    which images a manifest says are in a registry
manifest  resolved-images.json
journal   the history of images, as values
journal_lines  the same as lines of JSON
"""
