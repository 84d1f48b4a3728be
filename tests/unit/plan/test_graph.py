"""The graph: which images should exist, in building order."""

from pathlib import Path

import pytest
from attrs import evolve

from isol8_tasks.config.deps import Config, parse_config, with_lists
from isol8_tasks.dockerfile.closure import parse
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.errors import PlanError
from isol8_tasks.images import labels
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.plan.differences import differences
from isol8_tasks.plan.fingerprint import decode_inputs, encode_inputs, key
from isol8_tasks.plan.graph import Graph, build_graph
from isol8_tasks.plan.model import ContextFile, FlagRequest, Inputs, task_of
from isol8_tasks.plan.reasons import FileChanged
from isol8_tasks.plan.rendering import render_custom

DOCKERFILE = parse("""\
ARG ALPINE_VERSION=3.21
FROM alpine:${ALPINE_VERSION} AS base
COPY proxy.mjs /p
FROM base AS python
FROM base AS node
FROM base AS bun
ARG BUN_VERSION
ARG BUN_INSTALL_URL=https://bun.example/install
RUN curl "$BUN_INSTALL_URL" | bash
FROM denoland/deno:alpine AS deno
FROM base AS bash
""")
CONTEXT = {"proxy.mjs": ContextFile(digest="a" * 64), "Dockerfile": ContextFile(digest="b" * 64)}
BASES = ["python", "node", "bun", "deno", "bash"]
EMPTY = Observed(repository="isol8")


def graph(
    config: Config | None = None, observed: Observed = EMPTY, request: FlagRequest | None = None
) -> Graph:
    return build_graph(config or Config(), DOCKERFILE, CONTEXT, observed, request or FlagRequest())


def asked(runtime: str, *packages: str, today: str = "2026-11-22", only_file: bool = False) -> FlagRequest:
    return FlagRequest(packages=((runtime, packages),), today=today, only_file=only_file)


def custom(name: str, *packages: str, flags: tuple[tuple[str, str], ...] = ()) -> Observed:
    record = Record(
        image=name,
        role="current",
        key="k",
        inputs="",
        build="b",
        checkout="c",
        packages=packages,
        flags=flags,
    )
    return Observed(
        repository="isol8",
        images=(
            ObservedImage(id="1", tags=(f"isol8:{name}", f"isol8_build:{name}"), labels=labels.write(record)),
        ),
    )


class TestSkips:
    """Names under [verify] skip."""

    @pytest.mark.parametrize(
        ("skip", "said"),
        [
            ("NumPy", ""),
            ("libsndfile", ""),
            ("npm:zod", ""),
            ("jq", ""),
            ("pandsa", "did you mean pandas? declared: jq, libsndfile, npm:zod, numpy, pandas"),
        ],
    )
    def test_declared(self, skip: str, said: str) -> None:
        """Of one that no image is declared with it is said that it skips nothing."""
        lists = '[dependencies]\npython = ["numpy>1"]\ndeno = ["npm:zod@3"]\nbash = ["jq"]\n'
        ml = '[system]\npython = ["libsndfile"]\n[images.ml]\nruntime = "python"\npackages = ["pandas"]\n'
        config = parse_config(f'{lists}{ml}[verify]\n\nskip = ["{skip}"]\n', "deps.toml")
        what = f"deps.toml:12: verify.skip: no image is declared with {skip}, so this skips nothing ({said})"
        assert graph(config).warnings == ((what,) if said else ())

    def test_flags(self) -> None:
        """Packages of flags count; nothing is said in a run that is about some runtimes alone."""
        config = parse_config('[verify]\nskip = ["numpy"]\n', "deps.toml")
        assert graph(config, request=asked("python", "numpy")).warnings == ()
        assert graph(config, request=FlagRequest(only=("node",))).warnings == ()
        assert graph(config).warnings == (
            "deps.toml:2: verify.skip: no image is declared with numpy, so this skips nothing",
        )


SECRETS = (
    '[dependencies]\npython = ["numpy"]\nbash = ["jq"]\n[system]\npython = ["libpq"]\n'
    '[images.ml]\nruntime = "node"\npackages = ["zod"]\n[build.secrets]\n'
    'corp = { env = "CORP" }\nnet = { file = "~/.netrc" }\nnpm = { file = ".npmrc" }\npip = { env = "PIP_INDEX_URL" }\n'
)


def mounting(mount: str) -> Graph:
    dockerfile = parse(DOCKERFILE.text + f"RUN --mount={mount} true\n")
    return build_graph(parse_config(SECRETS, "deps.toml"), dockerfile, CONTEXT, EMPTY, FlagRequest())


class TestSecrets:
    """Which image is built with which of [build.secrets]."""

    def test_images(self) -> None:
        """Each image has those that its installers read; a base those that its steps mount."""
        found = mounting("type=secret,id=corp")
        secrets = {spec.name: (*spec.secrets,) for spec in found.images if spec.secrets}
        assert secrets == {
            "bash": ("corp",),
            "python-custom": ("net", "pip"),
            "bash-custom": ("net",),
            "ml": ("npm",),
        }
        assert {spec.name for spec in found.images if spec.inputs.secrets} == {*secrets} - {"bash"}
        assert found.warnings == ()

    @pytest.mark.parametrize(
        ("mount", "name"),
        [
            ("type=secret,id=crop,required", "crop"),
            ("type=secret,src=crop", "crop"),
            ("type=secret,target=/run/secrets/crop", "crop"),
            ("id=$NAME,type=secret", ""),
            ("type=cache,target=/c", ""),
        ],
    )
    def test_unknown(self, mount: str, name: str) -> None:
        """A step that mounts what nobody declares is an error, with its line; what a variable names can't be told."""
        said = (
            f"docker/Dockerfile:12: mounts the secret {name}, which is not in [build.secrets] of deps.toml; "
            f'write {name} = {{ env = "…" }} or {{ file = "…" }} there, or correct the id'
        )
        if name:
            with pytest.raises(PlanError) as caught:
                mounting(mount)
            assert str(caught.value) == said
        else:
            assert mounting(mount).image("bash").secrets == {}

    def test_unused(self) -> None:
        """It is said of each that no image is built with it, unless the run is about some of them alone."""
        config = parse_config(SECRETS, "deps.toml")
        assert graph(config).warnings == (
            (
                "deps.toml:10: build.secrets.corp: no image uses it: none has packages whose installer reads $CORP, "
                "and no step of docker/Dockerfile mounts it by this name"
            ),
        )
        assert graph(config, request=FlagRequest(only=("python",))).warnings == ()
        alone = parse_config('[build.secrets]\nn = { file = "netrc" }\n', "deps.toml")
        assert len(graph(alone).warnings) == 1


class TestBases:
    """The five images that always should exist."""

    def test_five_bases_and_nothing_else(self) -> None:
        """Without packages there is a base for each runtime, in the specification's order."""
        found = graph()
        assert [spec.name for spec in found.images] == BASES
        assert [spec.task for spec in found.images] == [f"base:{name}" for name in BASES]
        assert found.undeclared == ()

    def test_filter_settings_are_set_last_in_each_base(self) -> None:
        """[filter] is part of every base's inputs, and an ENV at the end of its stage."""
        config = parse_config("[filter]\nallow_ports = [8080]\n", "deps.toml")
        plain, found = graph().images, graph(config).images
        assert {spec.dockerfile for spec in plain} == {DOCKERFILE.text}
        assert all(("filter.allow_ports", "8080") in spec.inputs.args for spec in found)
        line = "ENV ISOL8_ALLOW_PORTS=8080\n"
        python, bash = (
            DOCKERFILE.text.replace(before, before + line) for before in ("AS python\n", "AS bash\n")
        )
        assert [found[0].dockerfile, found[-1].dockerfile] == [python, bash.removesuffix(line) + "\n" + line]

    def test_a_base_knows_what_it_is_built_of(self) -> None:
        """Stages, files, arguments and the upstream image of a target are its inputs."""
        inputs = graph().image("bun").inputs
        assert [stage.name for stage in inputs.stages] == ["base", "bun"]
        assert [path for path, _ in inputs.files] == ["proxy.mjs"]
        assert inputs.upstream == (("alpine:3.21", None),)

    def test_the_upstream_image_that_is_here_counts(self) -> None:
        """The id of the image under the upstream tag is part of the inputs."""
        alpine = ObservedImage(id="sha256:0123456789abcdef", tags=("alpine:3.21",))
        found = graph(observed=Observed(repository="isol8", images=(alpine,)))
        assert found.image("bun").inputs.upstream == (("alpine:3.21", "0123456789ab"),)

    def test_a_standin_says_which_arguments_it_needs(self) -> None:
        """Arguments on the labels of a stand-in are passed on, and deps.toml wins over them."""
        standin = ObservedImage(
            id="sha256:1",
            tags=("alpine:3.21",),
            labels={
                "org.isol8.lab.arg.BUN_INSTALL_URL": "file:///lab",
                "org.isol8.lab.arg.BUN_VERSION": "1.4.5",
                "other": "x",
            },
        )
        config = parse_config('[build.args]\nBUN_VERSION = "2.0.0"\n', "deps.toml")
        spec = graph(config, Observed(repository="isol8", images=(standin,))).image("bun")
        assert dict(spec.args) == {"BUN_INSTALL_URL": "file:///lab", "BUN_VERSION": "2.0.0"}
        assert ("BUN_VERSION", "2.0.0") in spec.inputs.args
        assert not [name for name, _ in spec.inputs.args if name == "BUN_INSTALL_URL"]

    def test_what_a_standin_asked_for_is_known_when_it_is_not_here(self) -> None:
        """The arguments of a stand-in whose tag was removed are those that the image was built with."""
        record = Record(
            image="bun",
            role="current",
            key="k",
            inputs="",
            build="b",
            checkout="c",
            standin_args=(("BUN_VERSION", "1.4.5"),),
        )
        image = ObservedImage(id="1", tags=("isol8:bun", "isol8_build:bun"), labels=labels.write(record))
        found = graph(observed=Observed(repository="isol8", images=(image,)))
        assert dict(found.image("bun").args) == {"BUN_VERSION": "1.4.5"}

    def test_a_file_that_cannot_be_read_is_a_problem_of_who_needs_it(self) -> None:
        """An image that copies it says why nobody knows what it would be; the others are as they were."""
        broken = {"proxy.mjs": ContextFile(digest="", problem="docker/proxy.mjs: can't be read")}
        found = build_graph(Config(), DOCKERFILE, {**CONTEXT, **broken}, EMPTY, FlagRequest())
        assert {spec.name: spec.problem for spec in found.images} == {
            **dict.fromkeys(("python", "node", "bun", "bash"), "docker/proxy.mjs: can't be read"),
            "deno": "",
        }

    def test_a_file_that_is_not_there_is_an_error(self) -> None:
        """What copies it is named with its line, and what may be meant."""
        with pytest.raises(PlanError) as caught:
            build_graph(Config(), DOCKERFILE, {"proxxy.mjs": CONTEXT["proxy.mjs"]}, EMPTY, FlagRequest())
        assert str(caught.value) == (
            "docker/Dockerfile:3: COPY proxy.mjs: docker/ has no such file (did you mean proxxy.mjs?); "
            "correct the line or add the file"
        )

    def test_a_link_out_of_the_context_is_reported(self) -> None:
        """Its content is what counts, and images get it; one that nothing copies is nobody's concern."""
        link = ContextFile(digest="c" * 64, outside="/etc/hosts")
        found = build_graph(Config(), DOCKERFILE, {**CONTEXT, "proxy.mjs": link}, EMPTY, FlagRequest())
        assert found.warnings == (
            "docker/proxy.mjs: a link out of docker/, to /etc/hosts, whose content goes into images",
        )
        found = build_graph(Config(), DOCKERFILE, {**CONTEXT, "other": link}, EMPTY, FlagRequest())
        assert found.warnings == ()

    def test_several_that_cannot_be_read_are_counted(self) -> None:
        """One is told of, and how many more there are."""
        files = {path: ContextFile(digest="", problem=f"docker/{path}: no") for path in ("p/a", "p/b/", "q")}
        dockerfile = parse("".join(f"FROM scratch AS {name}\nCOPY p/b/c p/a /\n" for name in BASES))
        found = build_graph(Config(), dockerfile, files, EMPTY, FlagRequest())
        assert found.image("bun").problem == "docker/p/a: no (and 1 more)"


class TestOnly:
    """Some runtimes alone."""

    def test_images_of_these_runtimes_and_no_others(self) -> None:
        """Bases, custom and named images of the runtimes are there, in the specification's order."""
        text = NAMED + "[images.jq]\nruntime = 'bash'\npackages = ['jq']\n[dependencies]\nbash = ['jq']\n"
        found = graph(parse_config(text, "deps.toml"), request=FlagRequest(only=("bash", "node")))
        assert [spec.name for spec in found.images] == ["node", "bash", "bash-custom", "jq"]

    def test_what_nothing_asks_for_is_told_of_these_runtimes(self) -> None:
        """An undeclared image of another runtime is not what this run is about; of an unknown one, it may be."""
        inputs = Inputs(recipe=1, runtime="python", setup="x")
        for recorded, only, expected in (
            (encode_inputs(inputs), "python", ("old",)),
            (encode_inputs(inputs), "bash", ()),
            ("", "bash", ("old",)),
        ):
            record = Record(image="old", role="current", key="k", inputs=recorded, build="b", checkout="c")
            image = ObservedImage(id="1", tags=("isol8:old", "isol8_build:old"), labels=labels.write(record))
            held = Observed(repository="isol8", images=(image,))
            assert graph(observed=held, request=FlagRequest(only=(only,))).undeclared == expected
        assert (
            graph(observed=custom("bun-custom", "zod"), request=FlagRequest(only=("bash",))).undeclared == ()
        )

    def test_a_missing_file_is_told_with_what_then_counts_as_undeclared(self) -> None:
        """Nothing is said of it where isol8's own file declares all that there is, nor where deps.toml is there."""
        observed = custom("bash-custom", "curl")
        assert graph(Config(), observed).missing == ""
        found = graph(Config(missing=True), observed).missing
        assert found.startswith("deps.toml is missing, so isol8:bash-custom count as undeclared; restore it")
        (found,) = graph(Config(missing=True)).warnings
        assert found.startswith("deps.toml is missing, so only the base images are declared; restore it")


class TestCustom:
    """The images with packages."""

    def test_packages_of_the_file_make_a_custom_image(self) -> None:
        """A runtime with packages has a custom image on its base, packages sorted and unique."""
        config = parse_config('[dependencies]\npython = ["pandas", "numpy", "pandas"]\n', "deps.toml")
        spec = graph(config).image("python-custom")
        assert (spec.task, spec.parent, spec.target) == ("custom:python", "python", None)
        assert spec.inputs.packages == ("numpy", "pandas")
        assert spec.dockerfile == "FROM isol8:python\nRUN pip install --no-cache-dir numpy pandas\n"

    def test_alpine_packages_alone_make_one(self) -> None:
        """An image needs no package of its own runtime, and then nothing is compiled."""
        config = parse_config('[system]\npython = ["jq", "curl"]\n[build]\npython = ["gcc"]\n', "deps.toml")
        spec = graph(config).image("python-custom")
        assert (spec.inputs.packages, spec.system, spec.inputs.build) == ((), ("curl", "jq"), ())
        assert spec.dockerfile == "FROM isol8:python\nRUN apk add --no-cache curl jq\n"

    def test_flags_are_added_and_remembered_with_their_date(self) -> None:
        """What a flag asks for joins the file's packages, and its date is kept."""
        config = parse_config('[dependencies]\nbash = ["jq"]\n', "deps.toml")
        spec = graph(config, request=asked("bash", "curl")).image("bash-custom")
        assert spec.inputs.packages == ("curl", "jq")
        assert spec.flags == (("curl", "2026-11-22"),)

    def test_a_plain_run_keeps_what_flags_asked_for(self) -> None:
        """The union lasts, with the date of the first time."""
        observed = custom("bash-custom", "curl", "jq", flags=(("curl", "2026-01-01"),))
        spec = graph(observed=observed).image("bash-custom")
        assert spec.inputs.packages == ("curl",)
        assert spec.flags == (("curl", "2026-01-01"),)
        again = graph(observed=observed, request=asked("bash", "curl")).image("bash-custom")
        assert again.flags == (("curl", "2026-01-01"),)

    def test_a_flag_replaces_the_same_package_in_another_version(self) -> None:
        """Asking for another version of what a flag asked for before drops the old wish."""
        observed = custom("bash-custom", "jq=1.6", flags=(("jq=1.6", "2026-01-01"), ("curl", "2026-01-01")))
        spec = graph(observed=observed, request=asked("bash", "jq=1.7")).image("bash-custom")
        assert spec.flags == (("curl", "2026-01-01"), ("jq=1.7", "2026-11-22"))

    def test_only_file_drops_flags(self) -> None:
        """With --only-file the file alone decides, and flags of this run."""
        config = parse_config('[dependencies]\nbash = ["jq"]\n', "deps.toml")
        observed = custom("bash-custom", "curl", "jq", flags=(("curl", "2026-01-01"),))
        spec = graph(config, observed, asked("bash", only_file=True)).image("bash-custom")
        assert (spec.inputs.packages, spec.flags, spec.withdrawn) == (("jq",), (), False)

    def test_only_file_without_packages_withdraws_the_image(self) -> None:
        """An image that only flags asked for stays with its packages, remembers none, and is undeclared."""
        observed = custom("bash-custom", "curl", flags=(("curl", "2026-01-01"),))
        found = graph(observed=observed, request=asked("bash", only_file=True))
        spec = found.image("bash-custom")
        assert (spec.inputs.packages, spec.flags, spec.withdrawn) == (("curl",), (), True)
        assert found.undeclared == ("bash-custom",)

    def test_flags_last_when_the_public_tag_was_taken_or_removed(self) -> None:
        """What was asked for is remembered by the image that was promoted last, whatever has its public tag."""
        ours = custom("bash-custom", "curl", flags=(("curl", "2026-01-01"),)).images[0]
        private = evolve(ours, tags=("isol8_build:bash-custom",))
        foreign = ObservedImage(id="2", tags=("isol8:bash-custom",))
        for images in ((private,), (private, foreign)):
            found = graph(observed=Observed(repository="isol8", images=images))
            assert found.image("bash-custom").inputs.packages == ("curl",)
            dropped = graph(
                observed=Observed(repository="isol8", images=images), request=asked("bash", only_file=True)
            )
            assert [spec.name for spec in dropped.images] == BASES
            assert dropped.undeclared == ("bash-custom",)

    def test_an_image_that_nothing_asks_for_is_undeclared(self) -> None:
        """A custom image that lost its line in the file is named, and is no image of the graph."""
        found = graph(observed=custom("bash-custom", "curl"))
        assert [spec.name for spec in found.images] == BASES
        assert found.undeclared == ("bash-custom",)

    def test_a_foreign_custom_image_is_not_ours_to_report(self) -> None:
        """An image that we did not make is nobody's business here."""
        foreign = ObservedImage(id="1", tags=("isol8:bash-custom",))
        assert graph(observed=Observed(repository="isol8", images=(foreign,))).undeclared == ()


NAMED = """\
[images.ml-ready]
extends = "ml-more"
setup = "echo ready"

[images.ml]
runtime = "python"
packages = ["pandas", "numpy"]

[images.ml-more]
extends = "ml"
packages = ["scipy", "requests[socks]>=2,<3", "numpy"]
"""


class TestNamed:
    """The images that deps.toml gives names to."""

    def test_they_come_last_parents_first(self) -> None:
        """Bases, custom images, named images: whatever an image is based on is before it."""
        config = parse_config(f'dependencies.bash = ["jq"]\n{NAMED}', "deps.toml")
        found = graph(config)
        assert [spec.name for spec in found.images] == [*BASES, "bash-custom", "ml", "ml-more", "ml-ready"]
        assert [spec.task for spec in found.images[-3:]] == ["image:ml", "image:ml-more", "image:ml-ready"]
        assert [spec.parent for spec in found.images[-3:]] == ["python", "ml", "ml-more"]
        assert {spec.kind for spec in found.images[-3:]} == {"named"}

    def test_alpine_packages_are_inherited_but_those_of_a_build(self) -> None:
        """What is verified is all that is in an image; what counts is what its own steps install."""
        text = """
        [images.low]
        runtime = "python"
        packages = ["numpy"]
        system = ["libpq"]
        build = ["gcc"]
        [images.high]
        extends = "low"
        packages = ["scipy"]
        system = ["jq"]
        """
        high = graph(parse_config(text, "deps.toml")).image("high")
        assert (high.inputs.system, high.system, high.inputs.build) == (("jq",), ("jq", "libpq"), ())

    def test_an_image_installs_its_own_and_shows_all(self) -> None:
        """A key counts what the image's own step installs, and clients are told what its parents installed too."""
        found = graph(parse_config(NAMED, "deps.toml"))
        assert found.image("ml-more").inputs.packages == ("numpy", "requests[socks]>=2,<3", "scipy")
        assert found.image("ml-more").packages == ("numpy", "pandas", "requests[socks]>=2,<3", "scipy")
        ready = found.image("ml-ready")
        assert (ready.inputs.packages, ready.inputs.setup) == ((), "echo ready")
        assert ready.packages == found.image("ml-more").packages

    @pytest.mark.parametrize(
        ("name", "golden"), [("ml", "named"), ("ml-more", "named-child"), ("ml-ready", "named-setup")]
    )
    def test_golden(self, name: str, golden: str) -> None:
        """The Dockerfile installs what is the image's own on what it extends; a script alone has no step."""
        text = NAMED.replace(', "numpy"]\n"""', ']\n"""').replace('<3", "numpy"]', '<3"]')
        spec = graph(parse_config(text, "deps.toml")).image(name)
        path = Path(__file__).with_name("golden") / f"{golden}.Dockerfile"
        assert spec.dockerfile.encode() == path.read_bytes()

    def test_a_named_image_that_lost_its_table_is_undeclared(self) -> None:
        """An image of ours by a name that the file no longer gives is named; its previous build is not."""
        observed = custom("old", "numpy")
        previous = ObservedImage(
            id="2", tags=("isol8:old-previous", "isol8_build:old-held"), labels=observed.images[0].labels
        )
        found = graph(observed=evolve(observed, images=(*observed.images, previous)))
        assert found.undeclared == ("old",)
        declared = graph(parse_config("images.old = {runtime = 'bun', setup = 'x'}", "deps.toml"), observed)
        assert declared.undeclared == ()

    def test_the_family_of_an_image(self) -> None:
        """An image and what is based on it, near or far, and nothing else."""
        found = graph(parse_config(NAMED, "deps.toml"))
        assert [spec.name for spec in found.family("ml")] == ["ml", "ml-more", "ml-ready"]
        assert [spec.name for spec in found.family("bash")] == ["bash"]

    @pytest.mark.parametrize(
        ("name", "task"),
        [("bun", "base:bun"), ("bun-custom", "custom:bun"), ("ml", "image:ml"), ("bun-2", "image:bun-2")],
    )
    def test_the_task_of_a_name(self, name: str, task: str) -> None:
        """A name alone says which task builds its image."""
        assert task_of(name) == task


class TestRenderCustom:
    """The specification's generated Dockerfiles."""

    @pytest.mark.parametrize(
        ("runtime", "packages"),
        [
            ("python", ("numpy", "pandas")),
            ("node", ("lodash", "express")),
            ("bun", ("zod", "hono")),
            ("deno", ("https://deno.land/std/path/mod.ts",)),
            ("bash", ("jq", "curl")),
        ],
    )
    def test_golden(self, runtime: str, packages: tuple[str, ...]) -> None:
        """Plain names give the specification's text, byte for byte."""
        golden = Path(__file__).with_name("golden") / f"{runtime}.Dockerfile"
        assert render_custom(RUNTIMES[runtime], f"isol8:{runtime}", packages).encode() == golden.read_bytes()

    def test_deno_caches_one_module_after_another(self) -> None:
        """Modules of one call share versions, and what imports one of them alone does not find it."""
        text = render_custom(RUNTIMES["deno"], "isol8:deno", ("npm:is-number", "npm:is-odd@^3", "npm:x"))
        assert text == (
            "FROM isol8:deno\n"
            "RUN deno cache npm:is-number && deno cache 'npm:is-odd@^3' && deno cache npm:x\n"
        )

    def test_what_a_shell_would_read_is_quoted(self) -> None:
        """Brackets and comparisons reach the installer as they stand."""
        text = render_custom(RUNTIMES["python"], "isol8:python", ("requests[socks]>=2,<3", "numpy"))
        assert text == "FROM isol8:python\nRUN pip install --no-cache-dir 'requests[socks]>=2,<3' numpy\n"


class TestVersions:
    """Versions of one package that exclude each other."""

    def test_of_one_list(self) -> None:
        """They are told of at once, with their lines, and not tried for minutes."""
        config = parse_config(
            '[images.ml]\nruntime = "python"\npackages = [\n"numpy<2",\n"six",\n"numpy>=2.1"]', "deps.toml"
        )
        with pytest.raises(PlanError) as caught:
            graph(config)
        assert str(caught.value) == (
            "deps.toml:4, deps.toml:6: numpy<2 and numpy>=2.1 exclude each other, and an image has one version of a "
            "package; keep one of them"
        )

    def test_of_a_flag(self) -> None:
        """It is named as the place of one of them, and how it is dropped."""
        config = parse_config('[dependencies]\nnode = ["zod@3"]', "deps.toml")
        with pytest.raises(PlanError) as caught:
            graph(config, request=asked("node", "zod@4"))
        assert str(caught.value) == (
            "deps.toml:2, --node: zod@3 and zod@4 exclude each other, and an image has one version of a package; "
            "keep one of them; --only-file drops what flags gave"
        )

    def test_what_may_agree(self) -> None:
        """It is left to the installer."""
        config = parse_config('[dependencies]\npython = ["numpy>=2", "numpy<3"]', "deps.toml")
        assert graph(config).image("python-custom").packages == ("numpy<3", "numpy>=2")

    def test_what_is_withdrawn(self) -> None:
        """An image that is no longer declared is not looked at any more."""
        observed = custom("python-custom", "a==1", "a==2", flags=(("a==1", "2026-11-22"),))
        config = parse_config("", "deps.toml")
        assert graph(config, observed, asked("python", only_file=True)).image("python-custom").withdrawn


class TestLists:
    """Packages of a requirements file."""

    CONFIG = with_lists(
        parse_config('[dependencies]\npython_file = "r.txt"\n', "deps.toml"),
        lambda _: (
            f"six==1 --hash=sha256:{'a' * 64} --hash=sha256:{'b' * 64}\nnumpy==2 --hash=sha256:{'c' * 64}\n"
        ),
    )

    def other(self, digit: str) -> Config:
        """Return the same file with another hash."""
        listed = self.CONFIG.listed["python"]
        hashes = {**listed.hashes, "numpy==2": (f"sha256:{digit * 64}",)}
        return evolve(self.CONFIG, listed={"python": evolve(listed, hashes=hashes)})

    def test_hashes_count(self) -> None:
        """They are part of the key, under the name of the file; their order is not."""
        image = graph(self.CONFIG).image("python-custom")
        assert image.packages == ("numpy==2", "six==1")
        assert image.hashes["six==1"] == (f"sha256:{'a' * 64}", f"sha256:{'b' * 64}")
        assert [path for path, _ in image.inputs.files] == ["r.txt"]
        assert "six==1" in image.dockerfile
        other = graph(self.other("d")).image("python-custom")
        assert key(image.inputs) != key(other.inputs)
        assert key(image.inputs) == key(graph(self.other("c")).image("python-custom").inputs)
        recorded = decode_inputs(encode_inputs(image.inputs))
        assert recorded is not None
        assert [*differences(recorded, other.inputs)] == [FileChanged(path="r.txt")]

    def test_hashes_of_a_named_image(self) -> None:
        """They count for that image alone, and a package of its own needs one, too."""
        text = '[images.ml]\nruntime = "python"\npython_file = "r.txt"\n'
        listed = f"six==1 --hash=sha256:{'a' * 64}\n"
        config = with_lists(parse_config(text, "deps.toml"), lambda _: listed)
        image = graph(config).image("ml")
        assert (image.packages, list(image.hashes)) == (("six==1",), ["six==1"])
        assert [path for path, _ in image.inputs.files] == ["r.txt"]
        other = with_lists(parse_config(text, "deps.toml"), lambda _: listed.replace("aa", "ab"))
        assert key(graph(other).image("ml").inputs) != key(image.inputs)
        more = with_lists(parse_config(f'{text}packages = ["numpy"]\n', "deps.toml"), lambda _: listed)
        with pytest.raises(PlanError, match=r"^deps\.toml:4: numpy has no hash, and r\.txt has hashes"):
            graph(more)

    def test_without_hashes_packages_alone_count(self) -> None:
        """As if deps.toml listed them."""
        config = with_lists(
            parse_config('[dependencies]\npython_file = "r.txt"\n', "deps.toml"), lambda _: "six"
        )
        listed = parse_config('[dependencies]\npython = ["six"]\n', "deps.toml")
        ours, theirs = (graph(each).image("python-custom") for each in (config, listed))
        assert (ours.inputs, ours.hashes) == (theirs.inputs, {})

    def test_a_package_without_hash_is_refused(self) -> None:
        """Pip would install nothing; said with the place of that package."""
        with pytest.raises(PlanError) as caught:
            graph(self.CONFIG, request=asked("python", "zod"))
        assert str(caught.value) == (
            "--python: zod has no hash, and r.txt has hashes, so pip needs one for each; write it into r.txt"
        )

    def test_a_file_without_packages_is_told_of(self) -> None:
        """With its key and what of it is not read; it may be meant so, and is no error."""
        text = '[dependencies]\npython_file = "r.txt"\nnode_file = "p.json"\n'
        text += '[images.x]\nruntime = "python"\nsystem = ["jq"]\npython_file = "x.txt"\n'
        files = {"r.txt": "# none\n", "p.json": '{"devDependencies": {"a": "1"}}', "x.txt": ""}
        config = with_lists(parse_config(text, "deps.toml"), files.__getitem__)
        assert graph(config).warnings == (
            "deps.toml:2: dependencies.python_file: r.txt lists no packages",
            (
                "deps.toml:3: dependencies.node_file: p.json lists no packages under dependencies, and its "
                "devDependencies are not read"
            ),
            "deps.toml:7: images.x.python_file: x.txt lists no packages",
        )

    def test_dropped_flags_need_none(self) -> None:
        """An image whose flags are dropped stays as it is, without the file of other packages."""
        found = graph(
            Config(), custom("python-custom", "six", flags=(("six", "d"),)), asked("python", only_file=True)
        )
        assert found.image("python-custom").hashes == {}
