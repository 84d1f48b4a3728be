"""Well-known packages that can be loaded, and need more when they are used: data from the network, or a program."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from isol8_tasks.ecosystems.findings import PackageNeeds, Seen
from isol8_tasks.ecosystems.modules import OF_NODE


def needs(ecosystem: str, specs: Sequence[str], names: Sequence[str], seen: Seen) -> Iterator[PackageNeeds]:
    """Tell what of the packages needs more; a program is named where Alpine's packages in the image have none such."""
    for spec, name in zip(specs, names, strict=True):
        data = _DATA[ecosystem].get(name, "")
        programs = _PROGRAMS[ecosystem].get(name, ())
        if said := _SAID.get(f"{ecosystem} {name}"):
            yield PackageNeeds(package=spec, need=said)
        if data:
            yield PackageNeeds(
                package=spec, need=f"downloads {data} when it is used, unless they are in the image"
            )
        if programs and not any(
            re.search(rf"^R:{re.escape(each)}$", seen.apk, re.MULTILINE) for each in programs
        ):
            yield PackageNeeds(
                package=spec, need=f"runs the program {' or '.join(programs)}, which is not in the image"
            )


def of_runtime(specs: Sequence[str], names: Sequence[str]) -> Iterator[PackageNeeds]:
    """Tell which packages of npm's are never loaded, since the runtime has a module of that name."""
    for spec, name in zip(specs, names, strict=True):
        if re.fullmatch(OF_NODE, name):
            need = (
                f"is not what import {name} loads, as Node.js and Bun have a module of that name; remove it"
            )
            yield PackageNeeds(package=spec, need=need)


_MODELS: Final = "models"
_BROWSERS: Final = "browsers"
_CHROMIUM: Final = ("chromium", "chrome", "google-chrome")
_DATA: Final = {
    "pypi": {
        "tiktoken": "its encodings",
        "nltk": "corpora and models",
        "spacy": _MODELS,
        "stanza": _MODELS,
        "textblob": "corpora",
        "gensim": "corpora and models (gensim.downloader)",
        "transformers": _MODELS,
        "huggingface-hub": _MODELS,
        "datasets": "data sets",
        "sentence-transformers": _MODELS,
        "fastembed": _MODELS,
        "easyocr": _MODELS,
        "openai-whisper": _MODELS,
        "faster-whisper": _MODELS,
        "rembg": _MODELS,
        "keybert": _MODELS,
        "flair": _MODELS,
        "torchvision": "weights and data sets",
        "seaborn": "its example data (load_dataset)",
        "playwright": _BROWSERS,
        "pyppeteer": _BROWSERS,
        "language-tool-python": "LanguageTool",
        "geodatasets": "data sets",
        "cartopy": "maps",
    },
    "npm": {
        "prisma": "its engines",
        "puppeteer": _BROWSERS,
        "playwright": _BROWSERS,
        "@playwright/test": _BROWSERS,
        "tesseract.js": "trained data",
        "@huggingface/transformers": _MODELS,
        "@xenova/transformers": _MODELS,
    },
}
"""What they download, by their canonical names."""
_PROGRAMS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "pypi": {
        "pydub": ("ffmpeg",),
        "ffmpeg-python": ("ffmpeg",),
        "imageio-ffmpeg": ("ffmpeg",),
        "openai-whisper": ("ffmpeg",),
        "yt-dlp": ("ffmpeg",),
        "pytesseract": ("tesseract",),
        "pdf2image": ("pdftoppm",),
        "graphviz": ("dot",),
        "pydot": ("dot",),
        "diagrams": ("dot",),
        "pypandoc": ("pandoc",),
        "pdfkit": ("wkhtmltopdf",),
        "imgkit": ("wkhtmltoimage",),
        "tabula-py": ("java",),
        "pyspark": ("java",),
        "konlpy": ("java",),
        "camelot-py": ("gs",),
        "ocrmypdf": ("gs",),
        "pyttsx3": ("espeak-ng", "espeak"),
        "selenium": ("chromedriver", "geckodriver"),
        "python-chess": ("stockfish",),
    },
    "npm": {
        "fluent-ffmpeg": ("ffmpeg",),
        "puppeteer-core": _CHROMIUM,
        "gm": ("gm", "convert", "magick"),
        "imagemagick": ("convert", "magick"),
        "simple-git": ("git",),
        "selenium-webdriver": ("chromedriver", "geckodriver"),
        "node-tesseract-ocr": ("tesseract",),
        "pdf-poppler": ("pdftoppm",),
    },
}
"""What they run; one of several programs is enough."""
_SAID: Final = {
    "pypi playwright": "brings no Node.js for musl: declare nodejs under system, and set "
    "PLAYWRIGHT_NODEJS_PATH=/usr/bin/node where it is used",
}
"""What else is to be known of them."""
