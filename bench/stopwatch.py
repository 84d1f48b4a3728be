"""Runs whole processes and measures them, from a process that is itself as small as can be.

A child starts as a copy of its parent, whose size its peak memory then includes: measured from a large
process, a small one looks as large. It reads `{"argv", "cwd", "env", "output"}` lines and answers each with a
`{"seconds", "processor", "megabytes", "status"}` line.
"""

import json
import os
import sys
import time

# ru_maxrss counts kilobytes, but bytes on macOS.
_UNIT = 1e6 if sys.platform == "darwin" else 1e6 / 1024


def main() -> None:
    """Answer one line for each line, until there are no more."""
    for line in sys.stdin:
        order = json.loads(line)
        os.chdir(order["cwd"])
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ]
        began = time.perf_counter()
        process = os.posix_spawnp(order["argv"][0], order["argv"], order["env"], file_actions=actions)
        _, status, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - began
        os.close(output)
        answer = {
            "seconds": seconds,
            "processor": usage.ru_utime + usage.ru_stime,
            "megabytes": usage.ru_maxrss / _UNIT,
            "status": os.waitstatus_to_exitcode(status),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
