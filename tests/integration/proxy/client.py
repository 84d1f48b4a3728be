"""Sends the filter what clients won't, byte by byte, and tells what came back and which dials were seen.

Run beside the world: `client.py PORT CASES`, where CASES is a JSON list of requests; it prints a JSON list of answers.
"""

import json
import socket
import sys

WORLD = ("127.0.0.1", 9900)
PATIENCE = 8


def main() -> None:
    """Send every case in turn."""
    port = int(sys.argv[1])
    recorded()
    told = []
    for case in json.loads(sys.argv[2]):
        answer = exchange(port, case.encode("latin-1"))
        told.append([answer.decode("latin-1"), recorded()["dials"]])
    print(json.dumps(told))  # noqa: T201 - the tests read it


def exchange(port: int, data: bytes) -> bytes:
    """Return all that comes back, or `stalled` if it does not end."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as link:
        try:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            while piece := link.recv(65536):
                answer += piece
        except ConnectionError:
            return answer + b"\nreset"
        except TimeoutError:
            return answer + b"\nstalled"
    return answer


def recorded() -> dict[str, list[list[object]]]:
    """Return dials and queries since the last call."""
    with socket.create_connection(WORLD, timeout=PATIENCE) as link:
        link.sendall(b"\n")
        return dict(json.loads(link.makefile("rb").read()))


if __name__ == "__main__":
    main()
