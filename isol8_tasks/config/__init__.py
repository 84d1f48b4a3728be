"""The files that say what to build, as values; every problem in them is reported at once.

deps         deps.toml, and the only owner of its keys
images       its table [images]: named images and what they extend
settings     its other tables, with checks of the user's own
secret_list  its table [build.secrets]
values       single values in all of them: types, each with its reader
listed       package lists of other tools that it names
requirements, package_json
             what reads these
package_list what such a list says
client_file  isol8.config.json, the file of isol8's clients
lockfile     deps.lock.toml
agreement    whether what the lock says of an image agrees with itself
strict       the cattrs converter: a class is a table, a field a key; what was found, what was expected, where
foreign      keys of other tools' files
broken       what makes a text no TOML, where that is a slip that people make
editing      deps.toml with packages added or removed
positions    the line on which a key or value stands
releases     isol8's releases, by the label that their `setup` writes
shipped      where docker/, the lab and doit's settings lie, in a checkout or an installation
units        times and sizes as people write them
"""
