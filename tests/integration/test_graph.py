"""The graph on a real engine: what makes which image stale, what a failure leaves, and what is remembered."""

import io
import json
import re
import secrets
import shutil
import signal
from collections.abc import Callable

import docker
import pytest

from tests.integration.checkouts import Checkout, sleeping, tags_of, wait_for

BASES = ("python", "node", "bun", "deno", "bash")


@pytest.fixture
def own_upstream(built: Checkout, docker_api: docker.APIClient) -> Checkout:
    """Let a checkout build on the same upstream image under another name, which a test may move and remove."""
    docker_api.tag("alpine:3.21", built.repository, "3.21")
    built.deps('bun = ["zod"]\nbash = ["jq"]', f'[build.args]\nALPINE_IMAGE = "{built.repository}"')
    assert built.stale() == set()
    return built


class TestFirstRun:
    """From nothing to every image."""

    def test_everything_is_built_then_nothing(self, built: Checkout) -> None:
        """The second run builds nothing, and leaves the manifest untouched."""
        assert built.built() == set()
        before = (built.folder / "resolved-images.json").stat().st_mtime_ns
        done = built.doit()
        assert done.code == 0
        assert re.fullmatch(
            r"7 images up to date · Docker \S+ · resolved-images\.json unchanged\n", done.out
        ), done.out
        assert (built.folder / "resolved-images.json").stat().st_mtime_ns == before

    def test_a_clone_without_doits_database_builds_nothing(
        self, built: Checkout, make_checkout: Callable[..., Checkout]
    ) -> None:
        """The engine's labels are the truth, wherever the files lie."""
        clone = make_checkout("clone", built.repository)
        shutil.copy(built.folder / "deps.toml", clone.folder / "deps.toml")
        assert clone.built() == set()

    def test_the_manifest_prefers_custom_images(self, built: Checkout) -> None:
        """Each runtime resolves to its custom image where there is one, and the stand-in is marked."""
        built.doit()
        runtimes = built.manifest()["runtimes"]
        assert {name: entry["reference"] for name, entry in runtimes.items()} == {
            "python": f"{built.repository}:python",
            "node": f"{built.repository}:node",
            "bun": f"{built.repository}:bun-custom",
            "deno": f"{built.repository}:deno",
            "bash": f"{built.repository}:bash-custom",
        }
        assert runtimes["bun"]["packages"] == ["zod"]

    def test_labels_for_clients(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """A custom image is found by each generation of clients, and nothing else looks like one."""
        custom = docker_api.inspect_image(f"{built.repository}:bash-custom")
        assert custom["Config"]["Labels"]["org.isol8.dependencies"] == "jq"
        assert any(re.search(r":bash-custom-[0-9a-f]{12}$", tag) for tag in custom["RepoTags"])
        found = docker_api.images(filters={"label": "org.isol8.runtime=bash"})
        assert custom["Id"] in {image["Id"] for image in found}
        base = docker_api.inspect_image(f"{built.repository}:bash")
        assert "org.isol8.runtime" not in base["Config"]["Labels"]


class TestStaleness:
    """Each row of what makes an image stale, and what it leaves alone."""

    def test_an_edit_in_a_stage(self, built: Checkout) -> None:
        """An edit in stage bun makes bun and what is based on it stale, names the line, and nothing else."""
        line = (built.folder / "docker/Dockerfile").read_text().splitlines().index('CMD ["bun"]') + 1
        built.edit("docker/Dockerfile", 'CMD ["bun"]', 'CMD ["bun", "--version"]')
        plan = built.plan()
        assert plan["bun"] == ("stale", [f"docker/Dockerfile:{line} changed in stage bun"])
        assert plan["bun-custom"][0] == "stale"
        assert {name for name, (state, _) in plan.items() if state != "up-to-date"} == {"bun", "bun-custom"}
        assert built.built() == {"bun", "bun-custom"}
        assert built.stale() == set()

    def test_another_release_of_clients(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """The bases get another label, and nothing is built: neither they nor what is based on them."""
        with (built.folder / "deps.toml").open("a") as file:
            file.write('[clients]\nrelease = "0.17.0"\n')
        reason = "label for isol8's own setup: isol8 0.20.0 → isol8 0.11.0 to 0.17.0"
        assert {
            name: found for name, found in built.plan().items() if found[0] != "up-to-date"
        } == dict.fromkeys(BASES, ("stale", [reason]))
        done = built.doit()
        assert done.code == 0
        assert re.search(rf"^{len(BASES)} relabelled · ", done.out, re.MULTILINE), done.out
        assert " built " not in done.out
        for name in BASES:
            labels = docker_api.inspect_image(f"{built.repository}:{name}")["Config"]["Labels"]
            assert labels["org.isol8.build.hash"].startswith("35162b6d959a")
        assert built.stale() == set()

    def test_an_edit_in_the_shared_stage(self, built: Checkout) -> None:
        """An edit in stage base makes all that is based on it stale, and not deno."""
        built.edit("docker/Dockerfile", "WORKDIR /sandbox", "ENV ISOL8=1\nWORKDIR /sandbox")
        assert built.stale() == {"python", "node", "bun", "bash", "bun-custom", "bash-custom"}

    def test_a_copied_file(self, built: Checkout) -> None:
        """The filter is in every image, so a change of its source makes every image stale."""
        (built.folder / "docker/filter/main.go").write_text("// changed\n")
        plan = built.plan()
        assert plan["deno"] == ("stale", ["filter/main.go changed"])
        assert built.stale() == {*BASES, "bun-custom", "bash-custom"}

    def test_a_comment_and_a_stray_file_change_nothing(self, built: Checkout) -> None:
        """What no image is made of makes nothing stale."""
        built.edit("docker/Dockerfile", "FROM base AS python", "# a comment\n\nfrom base as python")
        (built.folder / "docker/README").write_text("nothing\n")
        assert built.stale() == set()

    def test_a_new_package(self, built: Checkout) -> None:
        """A package more makes one custom image stale, and says which package."""
        built.deps('bun = ["zod", "ms"]\nbash = ["jq"]')
        plan = built.plan()
        assert plan["bun-custom"] == ("stale", ["+ ms"])
        assert built.built() == {"bun-custom"}

    def test_packages_in_another_order_are_the_same(self, built: Checkout) -> None:
        """Order and repetition do not count."""
        built.deps('bun = ["zod", "zod"]\nbash = ["jq"]')
        assert built.stale() == set()

    def test_an_image_removed_by_hand(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """A missing image is built again, and nothing else."""
        docker_api.remove_image(f"{built.repository}:node")
        assert built.plan()["node"] == ("not-built", ["built before, and removed since"])
        assert built.built() == {"node"}

    def test_a_commit_under_a_public_tag(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """A docker commit inherits every label, and is still not taken for ours; it is kept as -previous."""
        container = docker_api.create_container(f"{built.repository}:bun", ["true"])
        commit = docker_api.commit(container["Id"], built.repository, "bun", changes=["LABEL mark=mine"])
        docker_api.remove_container(container["Id"])
        plan = built.plan()
        assert plan["bun"] == ("stale", [f"{built.repository}:bun was tagged by another program"])
        assert built.built() == {"bun", "bun-custom"}
        kept = docker_api.inspect_image(f"{built.repository}:bun-previous")
        assert kept["Config"]["Labels"]["mark"] == "mine"
        assert (
            kept["RootFS"] == docker_api.inspect_image(commit["Id"])["RootFS"]
            if _there(docker_api, commit["Id"])
            else True
        )

    def test_a_child_under_a_public_tag(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """An image built FROM ours and given its tag is not ours either."""
        text = f"FROM {built.repository}:bash\nENV MINE=1\n"
        _build(docker_api, text, f"{built.repository}:bash")
        assert built.plan()["bash"] == ("stale", [f"{built.repository}:bash was tagged by another program"])

    def test_a_rebuilt_base(self, built: Checkout) -> None:
        """A base that was rebuilt alone makes its custom image stale."""
        built.edit("docker/Dockerfile", 'CMD ["bash"]', 'CMD ["bash", "-l"]')
        assert built.built("base:bash") == {"bash"}
        assert built.plan()["bash-custom"] == ("stale", [f"parent {built.repository}:bash was rebuilt"])

    def test_a_moved_upstream_image(self, own_upstream: Checkout, docker_api: docker.APIClient) -> None:
        """Another image under the upstream tag makes stale what was built on it; the old one again, nothing."""
        upstream = f"{own_upstream.repository}:3.21"
        _build(docker_api, f"FROM {upstream}\nENV MOVED=1\n", upstream)
        assert own_upstream.plan()["python"] == ("stale", [f"upstream image alpine:3.21 → {upstream}"])
        # Deno as well, whose filter is compiled on it.
        assert own_upstream.stale() == {*BASES, "bun-custom", "bash-custom"}
        docker_api.tag("alpine:3.21", own_upstream.repository, "3.21")
        assert own_upstream.stale() == set()

    @pytest.mark.thorough
    def test_a_file_that_an_upstream_image_copies(
        self, own_upstream: Checkout, docker_api: docker.APIClient
    ) -> None:
        """What its own ONBUILD copies counts, though nothing in docker/Dockerfile names it."""
        upstream = f"{own_upstream.repository}:3.21"
        _build(docker_api, "FROM alpine:3.21\nONBUILD COPY held /held\n", upstream)
        held = own_upstream.folder / "docker/held"
        held.write_text("1")
        assert own_upstream.built("base:bash") == {"bash"}
        assert own_upstream.plan()["bash"] == ("up-to-date", [])
        held.write_text("2")
        assert own_upstream.plan()["bash"] == ("stale", ["held changed"])
        # Of the other images that is not known yet, which harms none: all of it is another upstream image.
        assert own_upstream.plan()["node"][0] == "stale"

    def test_an_upstream_image_that_was_removed_here_changes_nothing(
        self, own_upstream: Checkout, docker_api: docker.APIClient
    ) -> None:
        """What is built stands without the tag of what it was built on."""
        docker_api.remove_image(f"{own_upstream.repository}:3.21")
        assert own_upstream.stale() == set()

    def test_a_build_argument(self, built: Checkout) -> None:
        """A version counts, and where something is fetched from does not."""
        url = "file:///opt/lab/bun-install.sh"
        built.deps('bun = ["zod"]\nbash = ["jq"]', f'[build.args]\nBUN_INSTALL_URL = "{url}?mirror"')
        assert built.stale() == set()
        built.deps('bun = ["zod"]\nbash = ["jq"]', '[build.args]\nBUN_VERSION = "9.9.9"')
        plan = built.plan()
        assert plan["bun"][0] == "stale"
        assert re.fullmatch(r"build argument BUN_VERSION .* → 9\.9\.9", plan["bun"][1][0])
        assert built.stale() == {"bun", "bun-custom"}

    def test_another_checkout_is_named(self, built: Checkout, make_checkout: Callable[..., Checkout]) -> None:
        """Images that another checkout built of other inputs are said to be that."""
        other = make_checkout("other", built.repository)
        shutil.copy(built.folder / "deps.toml", other.folder / "deps.toml")
        other.edit("docker/Dockerfile", 'CMD ["bash"]', 'CMD ["bash", "-l"]')
        state, reasons = other.plan()["bash"]
        assert state == "stale"
        assert reasons[0].endswith("changed in stage bash")
        done = other.doit("plan")
        assert "last built from another checkout, template-" in done.out


class TestFlags:
    """Packages from the command line."""

    @pytest.mark.thorough
    def test_flags_last(self, checkout: Checkout) -> None:
        """What a flag asked for stays, is said, and goes with --only-file."""
        checkout.deps('bash = ["jq"]')
        assert "bash-custom" in checkout.built("setup", "--bash", "unzip")
        done = checkout.doit()
        assert done.code == 0
        assert re.search(
            r"^unzip: from --bash on \d{4}-\d\d-\d\d, not in deps\.toml$", done.out, re.MULTILINE
        )
        assert "built" not in done.out
        assert checkout.manifest()["runtimes"]["bash"]["packages"] == ["jq", "unzip"]
        assert checkout.built("setup", "--only-file") == {"bash-custom"}
        assert checkout.manifest()["runtimes"]["bash"]["packages"] == ["jq"]
        assert checkout.stale() == set()

    @pytest.mark.thorough
    def test_dropping_the_only_flags_leaves_an_undeclared_image(self, checkout: Checkout) -> None:
        """An image that only flags asked for stays, remembers them no more, and is reported."""
        checkout.built("setup", "--bash", "jq")
        done = checkout.doit("setup", "--only-file")
        assert done.code == 0
        assert "relabelled" in done.out
        plan = checkout.plan()
        assert plan["bash-custom"][0] == "undeclared"
        assert checkout.manifest()["runtimes"]["bash"]["reference"] == f"{checkout.repository}:bash-custom"

    def test_a_removed_line_leaves_an_undeclared_image(self, built: Checkout) -> None:
        """A custom image that deps.toml no longer asks for is left alone, and reported."""
        built.deps('bun = ["zod"]')
        assert built.plan()["bash-custom"] == ("undeclared", [])
        done = built.doit()
        assert f"{built.repository}:bash-custom" in done.out
        assert "undeclared" in done.out

    def test_an_undeclared_image_can_be_cleaned_away(
        self, built: Checkout, docker_api: docker.APIClient
    ) -> None:
        """The command that is named for it takes away every tag that a client could find it by."""
        built.deps('bun = ["zod"]')
        assert "./doitw clean custom:bash" in built.doit().out
        done = built.doit("clean", "custom:bash")
        assert done.code == 0, done.err
        assert not [tag for tag in tags_of(docker_api, built.repository) if "bash-custom" in tag]
        assert "bash-custom" not in built.plan()
        assert built.manifest()["runtimes"]["bash"]["reference"] == f"{built.repository}:bash"
        wrong = built.doit("clean", "custom:perl")
        assert wrong.code == 3
        assert "no image matches custom:perl" in wrong.err

    def test_bad_specs_are_refused_before_anything_is_built(self, checkout: Checkout) -> None:
        """A flag that is no package ends with 3, and every one of them is named."""
        done = checkout.doit("setup", "--python=--pre", "--bash=jq=", "--node", "lodash")
        assert done.code == 3
        assert "--python" in done.err
        assert "--bash" in done.err
        assert checkout.stale() == set(BASES)

    def test_a_word_with_an_equals_sign_gets_a_hint(self, checkout: Checkout) -> None:
        """To doit such a word is a variable; the message says how to write it."""
        done = checkout.doit("setup", "--bash", "jq=1.7.1-r0")
        assert done.code == 3
        assert "--bash=jq=1.7.1-r0" in done.err


class TestFailures:
    """Nothing is lost."""

    def test_a_package_that_does_not_exist(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """The old image stays, the failure says what and where, the others are built, and the manifest is written."""
        old = docker_api.inspect_image(f"{built.repository}:bash-custom")["Id"]
        built.deps('bun = ["zod", "ms"]\nbash = ["jq", "no-such-package-isol8"]')
        done = built.doit()
        assert done.code == 1
        assert re.search(rf"^{built.repository}:bun-custom\s+built ", done.out, re.MULTILINE)
        assert re.search(rf"^{built.repository}:bash-custom\s+failed", done.out, re.MULTILINE), done.out
        assert "no-such-package-isol8" in done.out
        assert "Still using the image" in done.out
        assert "deps.toml:2" in done.out or "deps.toml:3" in done.out
        assert docker_api.inspect_image(f"{built.repository}:bash-custom")["Id"] == old
        assert built.manifest()["runtimes"]["bash"]["packages"] == ["jq"]
        log = re.search(r"Whole log: (\S+)", done.out)
        assert log is not None
        assert "no-such-package-isol8" in (built.folder / log[1]).read_text()

    def test_what_stands_on_a_failed_image_is_not_begun(self, built: Checkout) -> None:
        """A base that fails keeps its custom image from being built, and stops no other."""
        built.edit("docker/Dockerfile", 'CMD ["bash"]', 'RUN false\nCMD ["bash"]')
        built.edit("docker/Dockerfile", 'CMD ["node"]', 'CMD ["node", "-i"]')
        done = built.doit()
        assert done.code == 1
        assert f"{built.repository}:node" in done.out
        assert "1 built · 1 failed · 1 skipped · 4 up to date" in re.sub(r" · \d.*s · ", " · ", done.out) or (
            "1 failed" in done.out and "1 skipped" in done.out
        ), done.out

    def test_a_killed_run_is_completed_by_the_next(
        self, built: Checkout, docker_api: docker.APIClient
    ) -> None:
        """After kill -9 in the middle of a build the old image is under its tag, and the next run completes."""
        old = docker_api.inspect_image(f"{built.repository}:bash")["Id"]
        mark = secrets.token_hex(4)
        built.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN sleep 4 && echo {mark} > /mark\nCMD ["bash"]')
        run = built.start()
        wait_for(lambda: bool(sleeping(mark)))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        assert docker_api.inspect_image(f"{built.repository}:bash")["Id"] == old
        assert built.built() == {"bash", "bash-custom"}
        assert built.stale() == set()

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
    )
    def test_an_interruption_ends_with_one_line(
        self, built: Checkout, docker_api: docker.APIClient, number: int, code: int
    ) -> None:
        """Ctrl-C, or what a service manager sends, leaves no traceback and no build, and the image in use as it was."""
        old = docker_api.inspect_image(f"{built.repository}:bash")["Id"]
        mark = secrets.token_hex(4)
        built.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN sleep 30 && echo {mark}\nCMD ["bash"]')
        run = built.start()
        wait_for(lambda: bool(sleeping(mark)))
        run.send_signal(number)
        out, _ = run.communicate(timeout=20)
        assert run.returncode == code
        assert "Traceback" not in out
        assert out.count("interrupted") == 1
        wait_for(lambda: not sleeping(mark))
        assert not [tag for tag in tags_of(docker_api, built.repository) if tag.endswith("-candidate")]
        assert docker_api.inspect_image(f"{built.repository}:bash")["Id"] == old

    def test_no_engine(self, checkout: Checkout) -> None:
        """A dead DOCKER_HOST ends with 4 and the fix; plan says that nothing is known; list works."""
        dead = "unix:///nowhere/docker.sock"
        done = checkout.doit(DOCKER_HOST=dead)
        assert done.code == 4
        assert dead in done.out + done.err
        plan = checkout.doit("plan", "--json", DOCKER_HOST=dead)
        assert plan.code == 4
        assert {each["state"] for each in json.loads(plan.out)["images"]} == {"undetermined"}
        listed = checkout.doit("list", DOCKER_HOST=dead)
        assert listed.code == 0
        assert "base:bun" in listed.out

    def test_an_upstream_image_that_cannot_be_pulled(
        self, built: Checkout, docker_api: docker.APIClient
    ) -> None:
        """A pull that fails keeps what is there, and ends with 4."""
        old = docker_api.inspect_image(f"{built.repository}:deno")["Id"]
        built.deps('bun = ["zod"]\nbash = ["jq"]', '[build.args]\nDENO_IMAGE = "localhost:9/no/such:image"')
        built.edit("docker/Dockerfile", 'CMD ["deno"]', 'CMD ["deno", "repl"]')
        done = built.doit()
        assert done.code == 4, done.out
        assert "localhost:9/no/such:image" in done.out
        assert docker_api.inspect_image(f"{built.repository}:deno")["Id"] == old


class TestPromotion:
    """Build, then promote."""

    def test_previous_is_kept_and_hidden(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """What had the tag stays as -previous, and no client picks it; no private candidate is left."""
        old = docker_api.inspect_image(f"{built.repository}:bash-custom")
        built.deps('bash = ["jq", "unzip"]')
        assert built.built("custom:bash") == {"bash-custom"}
        previous = docker_api.inspect_image(f"{built.repository}:bash-custom-previous")
        assert previous["RootFS"] == old["RootFS"]
        shown = {key: text for key, text in previous["Config"]["Labels"].items() if "isol8.tasks" not in key}
        assert shown["org.isol8.runtime"] == "bash (not in use)"
        assert shown["org.isol8.dependencies"] == "jq"
        assert "" not in {text for key, text in shown.items() if key.startswith("org.isol8.")}
        current = docker_api.inspect_image(f"{built.repository}:bash-custom")
        found = docker_api.images(filters={"label": "org.isol8.runtime=bash"})
        ours = [i for i in found if any(t.startswith(built.repository) for t in i["RepoTags"] or [])]
        assert [i["Id"] for i in ours] == [current["Id"]]
        assert not [tag for tag in tags_of(docker_api, built.repository) if tag.endswith("-candidate")]

    def test_the_old_hash_tag_goes(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """Clients that look for the hash of the packages find the new image only."""
        built.deps('bun = ["zod"]\nbash = ["jq", "unzip"]')
        built.built()
        tags = [t for i in docker_api.images(built.repository) for t in i["RepoTags"] or []]
        assert len([t for t in tags if re.search(r":bash-custom-[0-9a-f]{12}$", t)]) == 1

    def test_clean_removes_one_image(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """`doit clean base:bun` removes that image with all its tags; without a name it refuses."""
        done = built.doit("clean", "custom:bun")
        assert done.code == 0, done.err
        tags = [t for i in docker_api.images() for t in i["RepoTags"] or []]
        assert not [t for t in tags if t.startswith(built.repository) and "bun-custom" in t]
        assert f"{built.repository}:bun" in tags
        assert built.doit("clean").code == 3

    def test_a_second_run_is_told_who_works(
        self, built: Checkout, make_checkout: Callable[..., Checkout]
    ) -> None:
        """While one run builds, another on the same engine gives up when told to, and says who it is."""
        mark = secrets.token_hex(4)
        built.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN sleep 5 && echo {mark}\nCMD ["bash"]')
        other = make_checkout("second")
        first = built.start()
        wait_for(lambda: bool(sleeping(mark)))
        done = other.doit("--wait=0", "base:bash")
        assert done.code == 1
        assert f"process {first.pid} in {built.folder}" in done.out
        first.communicate(timeout=60)
        assert first.returncode == 0


class TestBuildersAndSelection:
    """Other builders, and what is selected."""

    @pytest.mark.thorough
    def test_the_classic_builder(self, checkout: Checkout) -> None:
        """The classic builder makes the same image of the target's own stages."""
        checkout.deps('bash = ["jq"]', 'builder = "classic"')
        assert checkout.built("custom:bash") == {"bash", "bash-custom"}
        checkout.deps('bash = ["jq"]')
        assert checkout.stale() == {"python", "node", "bun", "deno"}

    def test_only_what_is_named_is_built(self, checkout: Checkout) -> None:
        """`doit base:bash` builds that image alone, and the manifest tells of it."""
        assert checkout.built("base:bash") == {"bash"}
        assert list(checkout.manifest()["runtimes"]) == ["bash"]

    def test_plan_changes_nothing(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """`plan --check` exits with 2 when something is stale, and touches neither engine nor files."""
        before = sorted(i["Id"] for i in docker_api.images())
        assert built.doit("plan", "--check").code == 0
        built.deps('bun = ["zod", "ms"]\nbash = ["jq"]')
        assert built.doit("plan", "--check").code == 2
        assert sorted(i["Id"] for i in docker_api.images()) == before


def _there(api: docker.APIClient, image: str) -> bool:
    return any(each["Id"] == image for each in api.images(all=True))


def _build(api: docker.APIClient, dockerfile: str, tag: str) -> None:
    for item in api.build(fileobj=io.BytesIO(dockerfile.encode()), tag=tag, rm=True, decode=True):
        assert "error" not in item, item
