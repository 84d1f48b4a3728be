"""The command line; the only importer of doit.

main         leads the words of a command line to the command or the tasks that they name
tasks        the graph for doit: ping, base:*, custom:*, image:*, resolve, setup; and their flags
doit         doit's own commands: run, list, info, help
program      its folder, tasks and settings, in a checkout or an installation
installed    the command isol8-tasks
command      what the commands of our own share
parsing      what all commands share: how their words are read
selection    the tasks that the words of a run select
suggestions  what is said of words that mean nothing where they stand
ending       how a command ends: one line and an exit code, a reader that went away
signals      what SIGINT, SIGTERM and SIGHUP do while a command runs
reporter     what the terminal shows of a run
screen       its lines: those that stay, and live ones below them
showing      the same of commands that take long and are no run
paint        the colours of lines
events       a run as lines of JSON
startup      what a command sets before the rest is imported
doit_import  imports doit without what a run does not use of it
commands/    every other command
"""
