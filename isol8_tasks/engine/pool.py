"""Connections to an engine's socket that can be shut while others wait for them."""

import contextlib
import socket
import weakref
from typing import Any

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnectionPool


def shut(sock: socket.socket) -> None:
    """Wake a thread that reads from a connection, and tell the engine that nobody listens."""
    # Gone already when the engine was quicker.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class OnePool(UnixHTTPAdapter):
    """Connections of one pool for all questions.

    Docker's client has a pool for each address, with its path and query, and from the 26th on closes one that another
    thread may be reading from.
    """

    def __init__(self, socket_url: str, timeout: int) -> None:
        super().__init__(socket_url, timeout)
        self._pool = _Pool("http+docker://localhost", self.socket_path, timeout, maxsize=self.max_pool_size)
        # Where what closes this one looks for them.
        self.pools["one"] = self._pool

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:  # noqa: ANN401, ARG002 - as the parent has it
        """Return the pool."""
        return self._pool

    def shut(self) -> None:
        """Wake whoever waits for an answer."""
        for made in tuple(self._pool.made):
            if made.sock is not None:
                shut(made.sock)


class _Pool(UnixHTTPConnectionPool):
    """Connections that can be shut while others wait for them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as the parent has them
        super().__init__(*arguments, **options)
        self.made: weakref.WeakSet[Any] = weakref.WeakSet()

    def _new_conn(self) -> Any:  # noqa: ANN401 - as above
        made = super()._new_conn()
        self.made.add(made)
        return made
