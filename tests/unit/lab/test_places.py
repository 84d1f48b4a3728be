"""Where things lie, and how long their names get."""

from pathlib import Path

from lab.places import Places


def test_names_of_a_deep_checkout_fit_the_kernels_limits() -> None:
    """However deep a checkout lies, interfaces have at most 15 bytes and sockets at most 104."""
    places = Places.of(Path("/", *["a-rather-long-folder"] * 30), None)
    assert len(places.bridge) == 15
    sockets = (
        places.socket,
        places.run / "containerd.sock.ttrpc",
        places.run / "exec/containerd/containerd-debug.sock",
    )
    assert max(len(str(socket)) for socket in sockets) <= 104


def test_checkouts_share_nothing(tmp_path: Path) -> None:
    """Two clones differ in every name."""
    one, two = Places.of(tmp_path / "one", None), Places.of(tmp_path / "two", None)
    assert one.name != two.name
    assert one.bridge != two.bridge
    assert one.host != two.host
    assert one.fetched != two.fetched


def test_a_link_to_a_checkout_is_that_checkout(tmp_path: Path) -> None:
    """The engine is found from wherever the checkout is reached."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert Places.of(tmp_path / "link", None) == Places.of(tmp_path / "real", None)


def test_downloads_may_be_shared(tmp_path: Path) -> None:
    """A named cache takes the downloads and nothing else."""
    shared = Places.of(tmp_path, str(tmp_path / "cache"))
    assert shared.fetched == tmp_path / "cache"
    assert shared.lab == Places.of(tmp_path, None).lab
