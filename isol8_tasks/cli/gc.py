"""Imported before everything else of a doit run, which is too short for collecting garbage to pay.

What a run makes while it starts, classes and modules, stays to its end; looking through it again and again took a
tenth of a run with nothing to do. Who imports this package as a library keeps the interpreter's own setting.
"""

import gc

gc.set_threshold(500_000, 20, 20)
