"""The commands beside doit's own, one module each; `develop` has the project's own test, lint, check and bench.

editing      add and remove
images       what verify, inventory and sbom share
one_image    what rollback and release share
past         what log and diff share
looking      what freshness and refresh share
transfers    what push and pull share
unsupported  doit's commands that have nothing to work on here
"""
