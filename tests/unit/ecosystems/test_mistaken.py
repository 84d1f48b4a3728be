"""Names that no package source has: what was meant, by what an installer printed."""

import pytest

from isol8_tasks.ecosystems.mistaken import hints

PIP = "ERROR: No matching distribution found for {}"
APK = "ERROR: unable to select packages:\n  {0} (no such package):\n    required by: world[{0}]"
NPM = "npm error 404  The requested resource '{}@*' could not be found or you do not have permission to access it."
OF_A_DISTRIBUTION = "is the name of a distribution's package: write"


@pytest.mark.parametrize(
    ("ecosystem", "output", "said"),
    [
        (
            "pypi",
            PIP.format("py3-six"),
            f'py3-six {OF_A_DISTRIBUTION} "six", or under system "py3-six".',
        ),
        (
            "pypi",
            PIP.format("python3-numpy>=1"),
            f'python3-numpy {OF_A_DISTRIBUTION} "numpy", or under system "py3-numpy".',
        ),
        ("pypi", PIP.format("libssl-dev"), f'libssl-dev {OF_A_DISTRIBUTION} "openssl-dev" under system.'),
        ("pypi", PIP.format("sqlite3"), "sqlite3 comes with Python; there is nothing to install, remove it."),
        (
            "pypi",
            PIP.format("cv2==4"),
            (
                "cv2 is the name of a module, and its package is opencv-python-headless: "
                'write "opencv-python-headless".'
            ),
        ),
        (
            "pypi",
            PIP.format("python3.12"),
            "python3.12 is the runtime itself, and the image has one of its own; remove it.",
        ),
        (
            "apk",
            APK.format("build-essential"),
            'Alpine has build-base for build-essential: write "build-base".',
        ),
        (
            "apk",
            APK.format("python3-numpy"),
            'Alpine may have py3-numpy for python3-numpy: write "py3-numpy".',
        ),
        (
            "apk",
            APK.format("openssl-devel"),
            'Alpine may have openssl-dev for openssl-devel: write "openssl-dev".',
        ),
        ("apk", APK.format("jq-1.7.1"), 'If 1.7.1 is a version in jq-1.7.1, write "jq~1.7.1".'),
        (
            "apk",
            "ERROR: unable to select packages:\n  jq-1.6-r0:\n    breaks: world[jq=1.7]",
            (
                'The repositories have jq 1.6-r0, which jq=1.7 excludes: write "jq=1.6-r0", or "jq~1.6" for all of its '
                "revisions."
            ),
        ),
        (
            "apk",
            "ERROR: The repository tag for world dependency 'jq@1.7' does not exist",
            (
                "Behind @ stands the tag of a repository, and none has the tag 1.7: "
                'for a version write "jq~1.7", for the newest "jq".'
            ),
        ),
        ("apk", APK.format("jq:1.7"), 'jq:1.7 is written as for Docker: write "jq~1.7".'),
        ("apk", APK.format("jq:latest"), 'jq:latest is written as for Docker: write "jq".'),
        ("apk", APK.format("JQ"), 'Alpine may have jq for JQ: write "jq".'),
        ("npm", NPM.format("Lodash"), 'Names have lower-case letters there: write "lodash".'),
        (
            "npm",
            "npm error No versions available for fs",
            "fs comes with Node.js and Bun; there is nothing to install, remove it.",
        ),
        (
            "npm",
            NPM.format("child_process"),
            "child_process comes with Node.js and Bun; there is nothing to install, remove it.",
        ),
        (
            "npm",
            "error: GET https://registry.example/tls - 404",
            "tls comes with Node.js and Bun; there is nothing to install, remove it.",
        ),
        (
            "deno",
            "error: JSR package manifest for '@std/nope' failed to load. Import 'https://a.example/x' failed.",
            (
                "JSR has no @std/nope, or can't be reached from the build: check the name, as @scope/name, "
                "and the network."
            ),
        ),
    ],
)
def test_what_was_meant(ecosystem: str, output: str, said: str) -> None:
    """It is one sentence, with what to write."""
    assert hints(ecosystem, output) == (said,)


@pytest.mark.parametrize(
    ("ecosystem", "output"),
    [
        ("pypi", PIP.format("nunpy")),
        ("pypi", PIP.format("psycopg2==99")),
        ("pypi", "ModuleNotFoundError: No module named 'cv2'"),
        ("apk", APK.format("jqq")),
        ("apk", APK.format("python3-dev")),
        ("apk", "jq-1.6-r0:\n    breaks: other-1-r0[jq=1.7]"),
        ("npm", NPM.format("lodahs")),
        ("deno", "error: npm package 'lodahs' does not exist."),
    ],
)
def test_the_rest_is_left(ecosystem: str, output: str) -> None:
    """A name that may be anybody's gets no guess."""
    assert hints(ecosystem, output) == ()


def test_each_is_said_once() -> None:
    """However often an installer repeats it."""
    assert len(hints("apk", APK.format("libpq5") + APK.format("libpq5") + APK.format("libsm6"))) == 2
