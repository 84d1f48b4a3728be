"""Dockerfiles with Alpine packages, and what they add to an image."""

import pytest

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.plan.model import Inputs
from isol8_tasks.plan.rendering import install_step, layers, render_custom


def _inputs(runtime: str = "python", **more: tuple[str, ...]) -> Inputs:
    return Inputs(recipe=1, runtime=runtime, **more)  # type: ignore[arg-type]


class TestRenderCustom:
    """The text that is built."""

    def test_system_packages_come_first(self) -> None:
        """What pip installs may need them, or find itself installed by them."""
        text = render_custom(RUNTIMES["python"], "isol8:python", ("numpy",), ("libpq", "so:libz.so.1"))
        assert text == (
            "FROM isol8:python\n"
            "RUN apk add --no-cache libpq so:libz.so.1\n"
            "RUN pip install --no-cache-dir numpy\n"
        )

    def test_system_packages_alone(self) -> None:
        """An image may have no package of its own runtime; nothing is compiled then."""
        text = render_custom(RUNTIMES["node"], "isol8:node", (), ("jq",), ("build-base",))
        assert text == "FROM isol8:node\nRUN apk add --no-cache jq\n"

    def test_compiled_in_a_stage_of_its_own(self) -> None:
        """The last stage gets files, and no package of the compiler's."""
        text = render_custom(
            RUNTIMES["python"], "isol8:python", ("numpy",), ("jq",), ("build-base", "gfortran")
        )
        lines = text.splitlines()
        assert lines[:3] == [
            "FROM isol8:python AS build",
            "RUN apk add --no-cache jq",
            "RUN apk add --no-cache build-base gfortran",
        ]
        assert lines[4] == install_step(RUNTIMES["python"], ("numpy",))
        last = lines[lines.index("FROM isol8:python") :]
        assert last[1:3] == ["RUN apk add --no-cache jq", "COPY --from=build /isol8-built/ /"]
        assert "build-base" not in "\n".join(last)
        assert all(len(line) < 65_535 for line in lines)

    def test_bun_runs_what_it_does_not_trust(self) -> None:
        """Beside a compiler the scripts of all packages run; without one Bun's own list is enough."""
        bun = RUNTIMES["bun"]
        lines = render_custom(bun, "isol8:bun", ("addon",), (), ("build-base",)).splitlines()
        place = lines.index(install_step(bun, ("addon",)))
        assert lines[place + 1].startswith("RUN cd /usr/local/lib && { said=$(bun pm trust --all ")
        assert lines.index("FROM isol8:bun") > place + 1
        assert "trust" not in render_custom(bun, "isol8:bun", ("addon",))

    @pytest.mark.parametrize("runtime", ["deno", "bash"])
    def test_what_compiles_nothing_has_one_stage(self, runtime: str) -> None:
        """There it would copy what is as it was."""
        package = {"deno": "npm:zod", "bash": "jq"}[runtime]
        text = render_custom(RUNTIMES[runtime], f"isol8:{runtime}", (package,), (), ("build-base",))
        assert text == render_custom(RUNTIMES[runtime], f"isol8:{runtime}", (package,))


@pytest.mark.parametrize(
    ("inputs", "count"),
    [
        (_inputs(), 0),
        (_inputs(packages=("numpy",)), 1),
        (_inputs(system=("jq",)), 1),
        (_inputs(packages=("numpy",), system=("jq",)), 2),
        (_inputs(packages=("numpy",), build=("build-base",)), 2),
        (_inputs(packages=("numpy",), system=("jq",), build=("build-base",)), 3),
        (_inputs("deno", packages=("npm:zod",)), 2),
        (_inputs("deno", packages=("npm:zod",), build=("build-base",)), 2),
    ],
)
def test_layers(inputs: Inputs, count: int) -> None:
    """Each step that the last stage has is one."""
    assert layers(inputs) == count
    runtime = RUNTIMES[inputs.runtime]
    text = render_custom(runtime, "p", inputs.packages, inputs.system, inputs.build)
    last = text.rpartition("FROM p")[2]
    assert last.count("\nRUN ") + last.count("\nCOPY ") + bool(runtime.tidy and inputs.packages) == count
