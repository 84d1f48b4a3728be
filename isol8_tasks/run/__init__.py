"""One run: what it knows, and what it does.

workspace    the folder worked in: deps.toml, docker/, the manifest, the lock file, the clock
secret_values what the secrets of deps.toml are, read where something needs them
textfiles    files of the user's as text, and why one can't be read
context      the build context on disk
engine_lock  keeps two runs off one engine
pulls        upstream images as a run pulls them: each once, different ones side by side
remote       what the registry has of a run's images, and how one comes from there
races        two machines that build the same at once
access       what a run reads of its checkout, and its connection to the engine
view         what a run knows: it observes and decides, each once
events       what a run reports while it works
policy       what a lock or a refresh asks of a run: what to fetch, pin and demand, and what is behind
alpine       asks what can be installed, and which of Alpine's packages have a library
failures     what is said of an image that could not be made
leftovers    what a run that was cut off left on the engine
updating     brings one image up to date, as was decided
publication  the manifest, and where images are in a registry
history      what runs changed, a line each in .isol8
pushing      pushes what a run has in use and the registry has not
parallel     how much is done side by side
session      builds what doit selects, as the view decides
lock         the text of a lock, and what it asks of a run
locking      writes the lock, of each platform
other_view   what a run knows of its images for another platform than the engine's own
other_work   what a run does for one other platform: builds, publishes, looks into
platforms    images for other platforms than the engine's own: built here, in use in the registry
upgrading    which exact versions in deps.toml could be newer
page         all images, their history and their sources in one HTML file
refresh      finds what is behind, fetches it and builds it
"""
