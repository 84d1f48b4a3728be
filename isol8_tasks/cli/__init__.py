"""The command line; the only importer of doit.

tasks      the graph for doit: ping, base:*, custom:*, image:*, resolve, setup; and their flags
doit       doit's own commands: run, list, info, help; exit codes
program    the tasks and settings of doit, in a checkout or an installation
installed  the command isol8-tasks
command    what the commands of our own share
reporter   what the terminal shows of a run
screen     its lines: those that stay, and live ones below them
gc         what a run sets before the rest is imported
commands/  every other command
"""
