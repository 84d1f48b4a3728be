"""The five runtimes and their packages: all that differs between them.

runtimes   python, node, bun, deno and bash, and the ecosystems of their packages, as data
model      what is said of each: a field for everything that differs
grammar    what each ecosystem accepts as the name of a package
pypi, npm, deno, apk
           how the packages of each are looked for in an image, and judged
compilers  what installers print where there is nothing to compile with
findings   what can be wrong with a package, and what users should know of one that passes
absent     what a package lacks when it is loaded, a module, a program or a right: what to do about it
declining  JavaScript packages that are complete and load only inside another program
loading    what the dynamic loader says of programs and libraries; which library is missing
needs      well-known packages that need data or a program when they are used
probes/    what each runtime runs in its image to look for packages
locks/     the lock files that packages are installed from
pasted     lines that were copied from elsewhere: what each is, and what to write
spellings  how packages are written elsewhere, a rule for each way
commands   commands that install packages elsewhere
modules    what programs import, and the packages that bring it
slips      packages that are nearly written right
mistaken   names that no package source has: what was meant
conflicts  versions of one package that exclude each other
specs      package specs: checked, gathered from lists, quoted for a shell
exact      packages that are declared in one version, and what is newer
inventory  the packages in an image, read from their own databases
updates    which newer packages an image would get, as values
sbom       the bill of materials of an image (CycloneDX)
"""
