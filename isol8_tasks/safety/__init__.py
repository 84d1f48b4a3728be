"""What keeps secrets, the terminal and other users' files safe. It knows nothing of images.

redact       foreign text without the credentials in it
credentials  the credentials in build arguments and the environment, as values
printing     what is printed: without credentials, without escape sequences of others
jsontext     JSON that others wrote
troubles     what foreign programs print when something is in their way: its cause, and the next step
causes       the lines of a program's output that tell why it failed
files        files written whole, and through no link of another user's
appended     a file to which several processes add lines
first_setup  what ./doitw tells of the environment that it makes
crash        an exception that nobody foresaw: one line, and the traceback in a file
"""
