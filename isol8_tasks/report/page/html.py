"""The page as HTML. Nothing in it is fetched, and nothing that others wrote is more than text.

Jinja escapes each value; the data for the page's own program is JSON in which `<`, `>`, `&` and `'` are numbers, so
that it can't end its element. The page's own policy lets no other style or program count than those two, by their hash.
"""

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from isol8_tasks.config import units
from isol8_tasks.ecosystems.updates import Update, updates_in_words
from isol8_tasks.report.page.answers import GROWTH_DAYS

_PROGRAMS: Final = ("elements.js", "charts.js", "page.js")
"""Modules that become one, each behind those that it imports."""
_REQUESTS: Final = 30
"""What clients run is shown for so many; the others unfold."""
_FOR_THE_PROGRAM: Final = (
    "at",
    "repository",
    "platform",
    "images",
    "packages",
    "parts",
    "left_out",
    "nights",
)
"""What the page's program shows; the rest stands in the page."""


def render_page(document: Mapping[str, Any]) -> str:
    """Return the page for what `page_document` gave; the same document gives the same bytes."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "sort_keys": False}
    at = dt.datetime.fromisoformat(document["at"])

    def age(moment: str) -> str:
        return units.duration(at - dt.datetime.fromisoformat(moment))

    environment.filters |= {
        "age": age,
        "bytes": units.size,
        "day": lambda moment: moment[:10],
        "minute": lambda moment: f"{moment[:10]} {moment[11:16]} UTC",
        "reasons": _reasons,
        "short": lambda digest: digest.removeprefix("sha256:")[:12],
    }
    # The last change is among the builds, the last failure among the failures.
    images = [
        {key: each[key] for key in each if key not in {"last", "failed"}} for each in document["images"]
    ]
    style, program = _part("page.css"), page_program()
    return environment.from_string(_part("page.html.jinja")).render(
        document,
        growth_days=GROWTH_DAYS,
        requests=_REQUESTS,
        style=Markup(style),  # noqa: S704 - our own
        program=Markup(program),  # noqa: S704 - our own
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(program)}'; "
        "base-uri 'none'; form-action 'none'",
        data={name: document[name] for name in _FOR_THE_PROGRAM} | {"images": images},
    )


def _reasons(change: Mapping[str, Any]) -> list[str]:
    """Return why an image changed; of one that was rebuilt for its packages, which these were."""
    updates = [
        Update(ecosystem=each[0], name=each[1], old=each[2], new=each[3])
        for each in change.get("changed", ())
    ]
    return [*change["why"]] or ([updates_in_words(updates)] if updates else [])


def page_program() -> str:
    """Return the modules as one program: what they import from one another is in it."""
    modules = (
        re.sub(r"(?m)^(?:import|///) .*\n|^export (?=const|function)", "", _part(name)) for name in _PROGRAMS
    )
    return '"use strict";\n' + "".join(modules)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
