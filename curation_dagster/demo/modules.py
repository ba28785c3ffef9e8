"""Module pages as pydoc writes them in HTML, without its layout tables.

`ModulePages` is pydoc's own HTML writer with the layout changed: sections instead of tables,
paragraphs instead of hard spaces, no source paths, no values that belong to this process, and
inherited methods by name only.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import pydoc
import re
import warnings
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation_dagster.demo.pages import Sheet, prose, scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

MAX_PAGE_CHARS = 300_000
"""A longer page is left out: few sites have one, and a handful would be half of the text."""

MIN_PAGE_CHARS = 500
"""A shorter page documents nothing."""

MAX_SOURCE_BYTES = 300_000
"""A longer module is not imported. A size, unlike a time limit, is the same on every run."""

_SKIPPED = {
    *("antigravity", "this", "turtle", "turtledemo", "tkinter", "idlelib"),  # act when imported
    *("lib2to3", "distutils", "msilib", "ensurepip", "venv", "pip", "encodings"),  # little to read
    *("test", "tests", "testing", "conftest", "benchmarks"),
}
_LINKABLE = re.compile(r"\bhttps?://[^\s\"<>&]+[\w/]|\b\w+(?=\()|\b[A-Z]\w+")
_TIDY = (
    (re.compile(r'<span class="code">(.*?)(?:<br>&nbsp;)?</span>', re.DOTALL), r"<div>\1</div>"),
    (re.compile(r"<p>(<div>.*?</div>)?</p>\n?", re.DOTALL), r"\1"),
    (re.compile(r' class="[\w -]+"|&nbsp;'), ""),
)


class ModulePages(pydoc.HTMLDoc):
    """pydoc's HTML writer, laid out as a present-day documentation page."""

    def heading(self, title: str, *_colors_and_extras: str) -> str:
        """Open the page with the module's name and version."""
        return f"<h1>{title}</h1>\n"

    def section(self, title: str, cls: str, contents: str, *layout: Any) -> str:  # noqa: ANN401, ARG002 - pydoc's
        """Give a class, or the list of functions, a section of its own."""
        prelude = "".join(layout[1:2])  # pydoc passes width, prelude
        if not prelude and not contents.replace("<br>", "").strip():
            return ""
        return f"<section>\n<h2>{title}</h2>\n{prelude}\n{contents}\n</section>\n"

    def multicolumn(self, list: Sequence[Any], format: Callable[[Any], str]) -> str:  # noqa: A002 - pydoc's names
        """List modules one below the other."""
        return "<ul>" + "".join(f"<li>{format(item)}</li>" for item in list) + "</ul>"

    def markup(self, text: str | None, escape: object = None, *names: Mapping[Any, str]) -> str:  # noqa: ARG002
        """Link addresses and names as pydoc does, in paragraphs, lists and code blocks."""

        def link(found: re.Match[str]) -> str:
            word = found[0]
            if word.startswith("http"):
                return f'<a href="{word}">{word}</a>'
            target = next((known[word] for known in names if word in known), None)
            return f'<a href="{target}">{word}</a>' if target else word

        # pydoc hands over signatures that are escaped already, among text that is not
        return prose(text or "", lambda run: _LINKABLE.sub(link, self.escape(unescape(run))))

    def docroutine(self, object: object, name: str | None = None, *context: Any) -> str:  # noqa: A002, ANN401
        """Document a routine; one inherited from another class is named only."""
        owner = next(iter(context[4:5]), None)  # pydoc passes mod, funcs, classes, methods, cl
        key = name or getattr(object, "__name__", "")
        if owner is None or key in vars(owner):
            return super().docroutine(object, name, *context)
        return f"<dl><dt><code>{escape(str(key))}</code></dt></dl>\n"

    def docdata(self, object: object, name: str | None = None, *context: Any) -> str:  # noqa: A002, ANN401
        """Document a property; the slots every class has (`__dict__`) are left out."""
        return "" if str(name).startswith("__") else super().docdata(object, name, *context)

    docproperty = docdata  # type: ignore[assignment]

    def docother(self, object: object, name: str | None = None, *_context: object) -> str:  # noqa: A002, ARG002
        """Name a constant; its value may be this process's own (a path, a time, a number)."""
        return "" if str(name).startswith("__") else f"<p><strong>{name}</strong></p>"


def module_names(roots: Iterable[str]) -> Iterator[str]:
    """Name the public modules under `roots`, in order; a package is imported to look inside."""
    for root in roots:
        if is_public(root):
            yield root
            folders = getattr(load(root), "__path__", ())
            inner = sorted(item.name for item in pkgutil.iter_modules(folders))
            yield from module_names(f"{root}.{name}" for name in inner)


def is_public(name: str) -> bool:
    """Tell whether a module is documentation: not private, not a test, not a program."""
    return not any(
        part in _SKIPPED or part.startswith(("_", "test_")) or part.endswith("_test")
        for part in name.split(".")
    )


def load(name: str) -> ModuleType | None:
    """Import a module, or return None when it is too long or does not import here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            origin = getattr(importlib.util.find_spec(name), "origin", None) or ""
            if origin.endswith(".py") and Path(origin).stat().st_size > MAX_SOURCE_BYTES:
                return None
            return importlib.import_module(name)
        except (Exception, SystemExit):  # noqa: BLE001 - a module may raise anything on import
            return None


def module_sheet(name: str, license: str | None) -> Sheet | None:  # noqa: A002 - the field's name
    """Render one module's page; None when it does not import, says nothing or says too much."""
    module = load(name)
    if module is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            html = ModulePages().document(module, name)
        except Exception:  # noqa: BLE001 - pydoc evaluates properties, which may raise anything
            return None
    for pattern, replacement in _TIDY:
        html = pattern.sub(replacement, html)
    if not MIN_PAGE_CHARS < len(html) < MAX_PAGE_CHARS:
        return None
    return Sheet(f"{name}.html", f"{name} - module documentation", scrub(html), license)
