"""Values put into words, and into data for other programs: text, JSON, Markdown. Pure.

plan        decisions, outcomes and failures as lines, and the plan as data
pictures    the graph as a tree, for Mermaid and Graphviz, and as data
page        all images, their history and their sources as HTML
reasons     why an image is stale, in words
containing  which images contain a package, and who asked for it
upgrades    which exact versions could be newer, in words
freshness   how fresh images are, as a table and as data
remedies    what to do about an image that could not be made
alpine      what to write for packages that have to be compiled, or need an Alpine package
history     what changed in images, and what differs between two builds
refresh     the account of a refresh
completion  what a shell completes of a command line
"""
