"""The lock files of package managers, by which packages are installed in exactly their versions; a module each.

requirements_txt, package_lock, bun_lock, deno_lock
          what such a file may say, what it installs, and how
contents  what all of them have in common
shapes    the shapes of the JSON in them
"""
