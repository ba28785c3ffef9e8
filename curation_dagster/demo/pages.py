"""Documentation text as HTML blocks, and nothing in it that belongs to this machine.

Docstrings, READMEs and licences become headings, paragraphs, lists and `<pre>` blocks. What is
documented, and under which address, is decided in `modules`, `shelves` and `site`.
"""

from __future__ import annotations

import functools
import re
import sys
import sysconfig
import textwrap
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{4,}")
_RULE = re.compile(r"^([=\-~^*#`\"'+])\1{2,}$")
_ITEM = re.compile(r"^(?:[-*+\u2022]|\d{1,2}[.)])\s+")
_HASHES = re.compile(r"^#{1,6} +(.+)")
_NOISE = re.compile(r"^(?:\[?!\[|\.\. [\w|_]|:\w+:(?!`)|<|\[!\[)")
_FENCE = "```"
_LITERAL = (">>>", "$ ", "|", "+-", "+=")
_INLINE = (
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]\[]+)\]\((https?://[^)\s\"]+)\)"), r'<a href="\2">\1</a>'),
    (re.compile(r"`([^`&]+?) ?&lt;(https?://[^&\s\"]+)&gt;`_+"), r'<a href="\2">\1</a>'),
    (re.compile(r"``([^`]+)``|:\w+:`~?([^`]+)`|`([^`]+)`_*"), r"<code>\1\2\3</code>"),
    (re.compile(r"\*\*([^*\n]+)\*\*"), r"<strong>\1</strong>"),
)

MIN_SENTENCE_WORDS = 6
"""An indented block of fewer words is taken for code, not for an indented paragraph."""

SHARED_ROOTS = frozenset({"/", "/usr", "/usr/local", "/opt", "/home", "/tmp"})  # noqa: S108
"""Folders every machine has; naming them tells nothing."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One documentation page before it is framed; `path` is relative to the source's prefix."""

    path: str
    title: str
    content: str
    license: str | None = None


@functools.cache
def machine_roots() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """List the folders that would tell this machine from another, longest first."""
    named = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), str(Path.home())}
    named |= {str(Path(__file__).parents[2]), str(Path.cwd())}
    named |= {str(Path(root).resolve()) for root in named}
    roots = sorted(named - SHARED_ROOTS, key=lambda root: (-len(root), root))
    return tuple((root, re.compile(rf"(?<![\w.-]){re.escape(root)}(?![\w-])")) for root in roots)


def scrub(html: str) -> str:
    """Take out what differs between machines or runs: local folders and memory addresses."""
    for root, whole in machine_roots():
        if root in html:
            html = whole.sub("...", html)
    return _ADDRESS.sub("", html)


def inline(text: str) -> str:
    """Escape one run of text and render links, code and emphasis inside it."""
    html = escape(text, quote=False)
    for pattern, replacement in _INLINE:
        html = pattern.sub(replacement, html)
    return html


def prose(text: str, render: Callable[[str], str] = inline) -> str:
    r"""Render plain documentation text as HTML blocks; `render` makes HTML of the text of one.

    >>> prose("Usage\n=====\nCall it\ntwice.\n\n    x = 1")
    '<h3>Usage</h3>\n<p>Call it twice.</p>\n<pre>x = 1</pre>'
    """
    chunks = _chunks(text.expandtabs(4).replace("\r\n", "\n").replace("\f", ""))
    blocks = (html for lines in chunks if (html := _block(lines, render)))
    return "\n".join(blocks).replace("</ul>\n<ul>", "\n")


def _block(lines: list[str], render: Callable[[str], str]) -> str:
    if lines[0].startswith(_FENCE):
        return _pre([line for line in lines if not line.startswith(_FENCE)])
    if _NOISE.match(lines[0]) or all(_RULE.match(line) for line in lines):
        return ""
    if heading := _heading(lines):
        return f"<h3>{render(heading)}</h3>"
    if _is_literal(lines):
        return _pre(lines)
    return _text(textwrap.dedent("\n".join(lines)).split("\n"), render)


def _text(lines: list[str], render: Callable[[str], str]) -> str:
    if _ITEM.match(lines[0]):
        return _bullets(lines, render)
    if len(lines) > 1 and lines[1].startswith("  "):
        return _definitions(lines, render)
    return f"<p>{render(' '.join(line.strip() for line in lines))}</p>"


def _chunks(text: str) -> Iterator[list[str]]:
    """Split text at blank lines, after headings, and around fenced code."""
    chunk: list[str] = []
    fenced = False
    for line in [*text.split("\n"), ""]:
        fenced ^= line.startswith(_FENCE)
        ends = not line.strip() or bool(_RULE.match(line) or _HASHES.match(line))
        if fenced or line.strip():
            chunk.append(line.rstrip())
        if chunk and ends and not fenced:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _heading(lines: list[str]) -> str | None:
    if len(lines) == 1 and (found := _HASHES.match(lines[0])):
        return found[1].rstrip("# ")
    words = [line for line in lines if not _RULE.match(line)]
    return words[0] if len(words) == 1 < len(lines) else None


def _is_literal(lines: list[str]) -> bool:
    """Tell whether a block is code or a table; an indented block may still be a paragraph."""
    if lines[0].lstrip().startswith(_LITERAL):
        return True
    words = " ".join(lines).split()
    reads = len(words) >= MIN_SENTENCE_WORDS and words[-1][-1] in ".:!?)" and words[0][0].isupper()
    return lines[0].startswith("  ") and not (reads or _ITEM.match(lines[0].lstrip()))


def _pre(lines: list[str]) -> str:
    return f"<pre>{escape(textwrap.dedent(chr(10).join(lines)), quote=False)}</pre>"


def _bullets(lines: list[str], render: Callable[[str], str]) -> str:
    items: list[str] = []
    for line in lines:
        if _ITEM.match(line) or not items:
            items.append(_ITEM.sub("", line))
        else:
            items[-1] += " " + line.strip()
    return "<ul>" + "".join(f"<li>{render(item)}</li>" for item in items) + "</ul>"


def _definitions(lines: list[str], render: Callable[[str], str]) -> str:
    """Render terms at the margin, each with the indented lines below it.

    Lines at the smaller of two indents are entries of their own (a Google-style list of arguments).
    """
    deeper = {len(line) - len(line.lstrip()) for line in lines} - {0}
    entry = min(deeper) if len(deeper) > 1 else 0
    parts: list[tuple[str, str]] = []
    for line in lines:
        indent = len(line) - len(line.lstrip())
        tag = "dd" if indent else "dt"
        if parts and tag == "dd" == parts[-1][0] and indent != entry:
            parts[-1] = ("dd", f"{parts[-1][1]} {line.strip()}")
        else:
            parts.append((tag, line.strip()))
    return "<dl>" + "".join(f"<{tag}>{render(text)}</{tag}>" for tag, text in parts) + "</dl>"
