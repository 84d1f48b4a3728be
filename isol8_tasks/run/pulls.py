"""Upstream images as a run pulls them: each once, different ones side by side."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

from attrs import define, field

from isol8_tasks.engine import ImageEngine, OnBytes
from isol8_tasks.images.references import Reference

_AT_ONCE: Final = 8
_LOOK_SECONDS: Final = 0.1
_PATIENCE: Final = 5.0
"""Seconds after which a pull is told of: an engine itself waits for a registry that is silent for up to 25 s."""


@define(eq=False)
class Pulls:
    """The pulls of one run, under way and done; what failed is not tried again."""

    engine: ImageEngine
    _pool: ThreadPoolExecutor = field(factory=lambda: ThreadPoolExecutor(_AT_ONCE), init=False)
    _known: dict[tuple[str, str], Future[None]] = field(factory=dict, init=False)
    _came: dict[str, tuple[int, int]] = field(factory=dict, init=False)
    """By what is pulled: how many bytes came, and how many are known to come."""
    _untold: dict[str, int] = field(factory=dict, init=False)
    """By the reference: the bytes that came, and that nobody took yet."""
    _mutex: threading.Lock = field(factory=threading.Lock, init=False)

    def pull(
        self,
        lacking: Mapping[str, str],
        tell: Callable[[str], None] = lambda _: None,
        on_bytes: OnBytes | None = None,
    ) -> None:
        """Pull what is lacking, by what each reference is pulled by; raise what went wrong with the first.

        `tell` hears what is waited for if it takes longer than one expects; `on_bytes` the bytes of all together, now
        and then.
        """
        with self._mutex:
            for pair in lacking.items():
                if pair not in self._known:
                    self._known[pair] = self._pool.submit(self._pull, *pair)
            asked = [self._known[pair] for pair in lacking.items()]
        began, told = time.monotonic(), False
        while late := wait(asked, _LOOK_SECONDS if on_bytes else _PATIENCE).not_done:
            if not told and time.monotonic() - began >= _PATIENCE:
                told = True
                tell(", ".join(name for name, each in zip(lacking, asked, strict=True) if each in late))
            if on_bytes and (came := [self._came[each] for each in lacking.values() if each in self._came]):
                on_bytes(sum(done for done, _ in came), sum(size for _, size in came))
        for each in asked:
            each.result()

    def counter(self, reference: str) -> OnBytes:
        """Return what hears the bytes of a pull that is not one of these."""
        return lambda done, _size: self._untold.update({reference: done})

    def take_bytes(self, references: Iterable[str] | None = None) -> int:
        """Return how many bytes of these upstream images came, or of all, that no caller was told before."""
        return sum(
            self._untold.pop(each, 0) for each in [*(self._untold if references is None else references)]
        )

    def close(self) -> None:
        """Let the threads end with what they are at."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _pull(self, reference: str, exact: str) -> None:
        def on_bytes(done: int, size: int) -> None:
            self._came[exact] = (done, size)
            self._untold[reference] = done

        self.engine.pull(exact, on_bytes)
        if exact != reference and not Reference.parse(reference).digest:
            self.engine.tag(exact, reference)
