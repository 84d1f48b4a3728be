"""The lease by which one run at a time changes an engine, from whichever machine: volumes that the engine keeps.

The engine's own time is cut into slots. Who creates the volume of a slot has the engine for it, and nobody else can:
asked for a volume that exists, an engine returns it with the labels of who was first. A run has the current slot, and
from its second half on the next one too, so a run that ended without a word has the engine for a minute at most.

Who takes it removes every other volume of the kind before anything else. So a run that was stopped for longer than
its slots knows by its last one whether somebody was here meanwhile.
"""

import contextlib
import datetime as dt
import json
import os
import pwd
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.owner import is_alive, this_process
from isol8_tasks.engine.wire import NOT_FOUND, EngineRefusedError
from isol8_tasks.errors import EngineError, LeaseLostError

LEASE: Final = "org.isol8.tasks.run"
"""On the volumes, with what tells one run from all others."""
_OWNER: Final = f"{LEASE}.by"
_HOLDER: Final = f"{LEASE}.holder"
_PREFIX: Final = "isol8-tasks-run-"

SLOT_SECONDS: Final = 40
_LOOK_SECONDS: Final = 5
_FRESH_SECONDS: Final = 1
_TRIES: Final = 10
_CARD_LETTERS: Final = 300
_UNSTEADY: Final = "the engine answers too slowly, or its clock jumps, to tell whose turn it is; run again"
_WITHOUT_VOLUMES: Final = frozenset({403, 404, 405, 501})
"""How an engine, or what stands in front of it, says that it keeps none for us."""


@frozen
class _Slot:
    """A volume of the kind."""

    run: str
    by: str
    holder: str


class VolumeLease:
    """The lease of a run. Made without work; safe to be used by several threads."""

    def __init__(self, connection: Connection, folder: str) -> None:
        self._connection = connection
        self._folder = folder
        self._length = SLOT_SECONDS
        self._run = secrets.token_hex(16)
        self._mutex = threading.Lock()
        self._own: set[int] = set()
        """The slots that are known to be this run's; empty for one that has no lease."""
        self._since = ""
        self._fresh_until = 0.0
        """By `_now`: until then the engine need not be asked again."""
        self._lost: LeaseLostError | None = None
        self._over = threading.Event()

    def take(self) -> str:
        """Take the lease if it is free, and return who has it; empty if this run has it now.

        So it is where an engine keeps no volumes: runs on other machines are not seen there.
        """
        try:
            with self._mutex:
                holder = self._take()
        except EngineRefusedError as error:
            if error.status in _WITHOUT_VOLUMES:
                return ""
            raise
        if not holder:
            self._over.clear()
            threading.Thread(target=self._renew_often, daemon=True).start()
        return holder

    def confirm(self) -> None:
        """Return where no other run has had the engine since this one took it; else raise LeaseLostError.

        The engine is asked at most once a second.
        """
        with self._mutex:
            if self._lost:
                raise self._lost
            for _ in range(_TRIES):
                # Again where this run was stopped while it asked.
                if not self._own or _now() < self._fresh_until:
                    return
                self._renew()
            raise EngineError(_UNSTEADY)

    def release(self) -> None:
        """Let the next run have it."""
        self._over.set()
        with self._mutex, contextlib.suppress(EngineError):
            if self._own:
                self._own = set()
                found, _ = self._slots()
                # The current slot last: with it the engine is free.
                self._remove(slot for slot in sorted(found, reverse=True) if found[slot].run == self._run)

    def _take(self) -> str:
        for _ in range(_TRIES):
            found, moment = self._slots()
            now = self._slot_of(moment)
            holder = found.get(now)
            if holder and holder.run != self._run:
                if is_alive(holder.by) is not False:
                    return holder.holder
                # Killed on this machine: nobody has to wait for its slots to end.
                self._remove(slot for slot in sorted(found, reverse=True) if found[slot].run == holder.run)
                continue
            self._since = dt.datetime.fromtimestamp(moment, dt.UTC).isoformat("T", "seconds")
            if self._create(now, valid={now}):
                self._remove(slot for slot in found if slot != now)
                self._own, self._fresh_until = {now}, 0.0
                return ""
        raise EngineError(_UNSTEADY)

    def _renew(self) -> None:
        """Make sure of the current slot, and of the next one when it is near; raises LeaseLostError."""
        asked = _now()
        for _ in range(_TRIES):
            found, moment = self._slots()
            now = self._slot_of(moment)
            if now in self._own and now in found and found[now].run == self._run:
                break
            if not self._create(now, valid={now}):
                if (other := self._slots()[0].get(now)) and other.run != self._run:
                    self._lose(other.holder)
                continue
            # This run was stopped, or the engine slow.
            if self._was_another_there():
                self._remove((now,))
                self._lose("another run")
            self._own.add(now)
            break
        else:
            raise EngineError(_UNSTEADY)
        near = moment % self._length >= self._length / 2
        # Only as long as the current slot lasts does nobody else have a right to the next.
        if near and now + 1 not in self._own and self._create(now + 1, valid={now}):
            self._own.add(now + 1)
        passed = {slot for slot in self._own if slot < now}
        self._own -= passed
        self._remove(passed)
        # The engine's time comes in whole seconds.
        left = (max(self._own) + 1) * self._length - moment - 1
        self._fresh_until = min(asked + left, _now() + _FRESH_SECONDS)

    def _was_another_there(self) -> bool:
        """Tell whether another run had the engine behind the last slot of this one, be it done or not."""
        found, _ = self._slots()
        return not any(slot in found and found[slot].run == self._run for slot in self._own) or any(
            # It may have been stopped itself before it removed ours.
            slot > max(self._own) and each.run != self._run
            for slot, each in found.items()
        )

    def _lose(self, holder: str) -> None:
        self._lost = LeaseLostError(
            f"this run was stopped or cut off from the engine for a while, and {holder} took over; it changes "
            f"nothing more: what it built is kept as a candidate, so run again"
        )
        raise self._lost

    def _renew_often(self) -> None:
        while not self._over.wait(min(_LOOK_SECONDS, self._length / 8)):
            # What is lost is told to who wants to change something; an engine that is gone may come back.
            with contextlib.suppress(EngineError, LeaseLostError), self._mutex:
                if self._own and not self._lost:
                    self._renew()

    def _slot_of(self, moment: float) -> int:
        return int(moment // self._length)

    def _slots(self) -> tuple[dict[int, _Slot], float]:
        """Return the volumes of all runs by their slots, and the engine's time."""
        params = {"filters": json.dumps({"label": [LEASE]})}
        answer, moment = self._connection.dated("GET", "/volumes", "list the runs on it", params)
        if not moment:
            raise EngineRefusedError("the engine can't be shared", "it tells no time", status=501)
        found = {}
        for each in (answer or {}).get("Volumes") or ():
            number = str(each.get("Name")).removeprefix(_PREFIX)
            if number.isdigit():
                found[int(number)] = _read(each)
        return found, moment

    def _create(self, slot: int, *, valid: set[int], again: bool = True) -> bool:
        """Create the volume of a slot, and tell whether it is this run's and the current slot still a valid one."""
        what = "let this run have it"
        labels = {LEASE: self._run, _OWNER: this_process(), _HOLDER: self._card()}
        body = {"Name": f"{_PREFIX}{slot}", "Driver": "local", "Labels": labels}
        try:
            answer, moment = self._connection.dated("POST", "/volumes/create", what, body=body)
            made = _read(answer)
        except EngineRefusedError as error:
            if error.status in _WITHOUT_VOLUMES:
                raise
            # Podman refuses the second of two that come at the same moment; that of the first may be gone already.
            found, moment = self._slots()
            if slot not in found and again:
                return self._create(slot, valid=valid, again=False)
            if slot not in found:
                raise
            made = found[slot]
        return made.run == self._run and self._slot_of(moment) in valid

    def _remove(self, slots: Iterable[int]) -> None:
        for slot in slots:
            try:
                self._connection.call("DELETE", f"/volumes/{_PREFIX}{slot}", "forget a run that is over")
            except EngineRefusedError as error:
                if error.status != NOT_FOUND:
                    raise

    def _card(self) -> str:
        whose = f"process {os.getpid()} of user {_user()} on {socket.gethostname()}"
        return f"{whose} in {self._folder}, since {self._since}"[:_CARD_LETTERS]


def _read(volume: Mapping[str, Any]) -> _Slot:
    labels: Mapping[str, str] = volume.get("Labels") or {}
    told = str(labels.get(_HOLDER, ""))[:_CARD_LETTERS]
    card = "".join(each if each.isprintable() else "?" for each in told)
    return _Slot(run=labels.get(LEASE, ""), by=labels.get(_OWNER, ""), holder=card or "holder unknown")


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _now() -> float:
    """Return seconds that go on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
