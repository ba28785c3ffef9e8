"""The three sources of the demo: which installed documents each one has, in a fixed order.

- `stdlib`: the topics of Python's own `help()` and the standard library's modules.
- `packages`: the READMEs of the installed packages, and the modules of a few well-documented ones.
- `licenses`: the licence files of the installed packages, many of them nearly the same.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from html import escape
from itertools import chain, islice, zip_longest
from pathlib import Path
from pydoc_data.topics import topics
from typing import TYPE_CHECKING

from curation_dagster.demo.modules import module_names, module_sheet
from curation_dagster.demo.pages import Sheet, prose, scrub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution

DOCUMENTED = {
    "aiohttp": ("aiohttp", 20),
    "anyio": ("anyio", 20),
    "attrs": ("attr", 20),
    "click": ("click", 20),
    "datasketch": ("datasketch", 20),
    "fsspec": ("fsspec", 20),
    "graphql-core": ("graphql", 30),
    "httpx": ("httpx", 20),
    "hypothesis": ("hypothesis", 30),
    "jinja2": ("jinja2", 20),
    "jsonschema": ("jsonschema", 20),
    "markdown-it-py": ("markdown_it", 20),
    "mpmath": ("mpmath", 20),
    "networkx": ("networkx", 250),
    "numpy": ("numpy", 30),
    "packaging": ("packaging", 20),
    "polars": ("polars", 40),
    "prompt_toolkit": ("prompt_toolkit", 60),
    "pydantic": ("pydantic", 25),
    "requests": ("requests", 20),
    "rich": ("rich", 60),
    "sympy": ("sympy", 40),
    "tqdm": ("tqdm", 20),
    "urllib3": ("urllib3", 20),
    "websockets": ("websockets", 30),
    "werkzeug": ("werkzeug", 30),
}
"""Packages whose modules get pages: the name to import and how many pages. Chosen for long
docstrings, imports without side effects and pages that render in milliseconds."""

MIN_README_CHARS = 400
"""A shorter README is a stub."""

_SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_LICENSE_FILE = re.compile(r"licen[cs]e|copying|notice", re.IGNORECASE)


def stdlib() -> Iterator[Sheet]:
    """Yield help topics and standard library modules in turn."""
    modules = module_names(sorted(sys.stdlib_module_names))
    sheets = (module_sheet(name, "PSF-2.0") for name in modules)
    return _present(chain.from_iterable(zip_longest(_topics(), sheets)))


def packages() -> Iterator[Sheet]:
    """Yield each package's README, followed by its module pages if it is a documented one."""
    for dist in distributions():
        stated = license_of(dist)
        if readme := _readme(dist, stated):
            yield readme
        if wanted := DOCUMENTED.get(dist.name.lower()):
            root, limit = wanted
            sheets = (module_sheet(name, stated) for name in module_names([root]))
            yield from islice(_present(sheets), limit)


def licenses() -> Iterator[Sheet]:
    """Yield the licence files of each package."""
    for dist in distributions():
        found = {file.name: file for file in dist.files or () if _LICENSE_FILE.search(file.name)}
        for name, file in sorted(found.items()):
            if file.suffix.lower() in ("", ".txt", ".md", ".rst", ".apache", ".bsd", ".mit"):
                title = f"{dist.name}: {name}"
                text = Path(file.locate()).read_text("utf-8", "replace")
                body = f"<h1>{escape(title)}</h1>\n{scrub(prose(text))}"
                yield Sheet(f"{dist.name}/{name}.html", title, body, license_of(dist))


def distributions() -> list[Distribution]:
    """List the installed packages by name, each once, this project left out."""
    found = {dist.name.lower(): dist for dist in importlib.metadata.distributions() if dist.name}
    return [found[name] for name in sorted(found) if name.replace("-", "_") != "curation_dagster"]


def license_of(dist: Distribution) -> str | None:
    """Return the licence a package's metadata states as an SPDX expression, if it does."""
    if stated := field(dist, "License-Expression"):
        return stated
    classifiers = [name.split(" :: ")[-1] for name in dist.metadata.get_all("Classifier") or ()]
    names = (_SPDX.get(name) for name in [field(dist, "License"), *classifiers])
    return next((name for name in names if name), None)


def field(dist: Distribution, name: str) -> str:
    """Return one field of a package's metadata; an absent field is empty."""
    return str(dist.metadata[name]) if name in dist.metadata else ""


def _topics() -> Iterator[Sheet]:
    for name, text in sorted(topics.items()):
        body = f"<h1>{escape(name)}</h1>\n{scrub(prose(text))}"
        yield Sheet(f"topics/{name}.html", f"{name} - help topic", body, "PSF-2.0")


def _readme(dist: Distribution, stated: str | None) -> Sheet | None:
    text = field(dist, "Description") or str(dist.metadata.json.get("description", ""))
    if len(text) < MIN_README_CHARS:
        return None
    summary = escape(field(dist, "Summary"))
    head = f"<h1>{escape(dist.name)} {escape(dist.version)}</h1>\n<p>{summary}</p>\n"
    title = f"{dist.name} - project description"
    return Sheet(f"projects/{dist.name}.html", title, head + scrub(prose(text)), stated)


def _present(sheets: Iterator[Sheet | None]) -> Iterator[Sheet]:
    return (sheet for sheet in sheets if sheet is not None)


SOURCES = {"stdlib": stdlib, "packages": packages, "licenses": licenses}
"""Every source by name, in the order in which they are crawled."""
