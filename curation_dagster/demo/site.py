"""The documentation site: every address of every source and what it answers.

Addresses begin with `http://SOURCE.docs.localhost/SOURCE/`. Each page has the navigation and the
footer that sites have and extraction should remove; beside the pages there are a style sheet, an
icon, a text file, `robots.txt`, redirects and some dead links.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curation_dagster.demo.pages import Sheet

DEAD_LINKS_KEPT = 12
"""One in this many links to a page that does not exist stays; the others become plain text."""

_LINK = re.compile(r'<a href="([\w.]+)\.html(#[^"]*)?">(.*?)</a>', re.DOTALL)
_LICENSE_ID = re.compile(r"\b(?!AND\b|OR\b|WITH\b|LicenseRef)[A-Za-z0-9][\w.-]+")
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="stylesheet" href="{root}style.css">
</head>
<body>
<header><nav><a href="{root}index.html"><img src="{root}icon.png" alt=""> Documentation</a>
<ul>{nav}</ul></nav></header>
<main><article>
{content}
</article></main>
<footer><p>Served from the documentation installed with Python. {license}</p>
<ul><li><a href="{root}">Contents</a></li><li><a href="{root}all.txt">List of pages</a></li>
<li><a href="{root}search?q=">Search</a></li></ul></footer>
</body>
</html>
"""
_ABOUT = {
    "stdlib": "The topics of Python's help system and the modules of its standard library.",
    "packages": "Descriptions of the installed packages, and modules of the best documented ones.",
    "licenses": "The licence files that came with the installed packages.",
}
_STYLE = "body { margin: auto; max-width: 50rem; font-family: serif; }\npre { overflow: auto; }\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says to one address."""

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    location: str | None = None


def host_of(source: str) -> str:
    """Return the host name a source is crawled under; it names no port, so it never changes."""
    return f"{source}.docs.localhost"


def answers(source: str, sheets: list[Sheet], elsewhere: frozenset[str]) -> dict[str, Answer]:
    """Return every address of one source; `elsewhere` are the pages of the standard library."""
    root = f"/{source}/"
    known = frozenset(sheet.path for sheet in sheets)
    listing = "".join(f"http://{host_of(source)}{root}{sheet.path}\n" for sheet in sheets)
    site = {
        "/robots.txt": _text(f"User-agent: *\nDisallow: {root}search\n"),
        f"{root}all.txt": _text(listing),
        f"{root}style.css": Answer(_STYLE.encode(), "text/css"),
        f"{root}icon.png": Answer(_icon(), "image/png"),
        root.rstrip("/"): _moved(root),
        f"{root}index.html": _moved(root),
        root: _index(source, sheets),
    }
    around = zip([None, *sheets], sheets, [*sheets[1:], None], strict=False)
    for before, sheet, after in around:
        content = _relink(sheet.content, root, known, elsewhere)
        site[root + sheet.path] = _page(root, sheet, content, [before, after])
    return site


def not_found(path: str) -> Answer:
    """Answer for an address that has no page."""
    body = f"<h1>404 Not Found</h1>\n<p>There is no page {escape(path)} here.</p>"
    return Answer(f"<!DOCTYPE html>\n<html lang=en><body>{body}</body></html>".encode(), status=404)


def _page(root: str, sheet: Sheet, content: str, around: Iterable[Sheet | None]) -> Answer:
    near = [(root, "Contents"), *((root + near.path, near.title) for near in around if near)]
    nav = "".join(f'<li><a href="{url}">{escape(title)}</a></li>' for url, title in near)
    html = _PAGE.format(
        title=escape(sheet.title),
        root=root,
        nav=nav,
        content=content,
        license=_license(sheet.license),
    )
    return Answer(html.encode("utf-8", "replace"))


def _index(source: str, sheets: list[Sheet]) -> Answer:
    links = "".join(f'<li><a href="{s.path}">{escape(s.title)}</a></li>\n' for s in sheets)
    content = f"<h1>{source}</h1>\n<p>{_ABOUT[source]}</p>\n<ul>\n{links}</ul>"
    html = _PAGE.format(
        title=f"{source} - contents", root=f"/{source}/", nav="", content=content, license=""
    )
    return Answer(html.encode())


def _license(stated: str | None) -> str:
    """Link the licence the metadata states, one link for each part of an expression."""
    if not stated:
        return ""
    link = '<a rel="license" href="https://spdx.org/licenses/{0}.html">{0}</a>'
    return f"Licence: {_LICENSE_ID.sub(lambda found: link.format(found[0]), stated)}."


def _relink(html: str, root: str, known: frozenset[str], elsewhere: frozenset[str]) -> str:
    """Point pydoc's links at pages that exist; of the rest keep a few, as dead links."""

    def link(found: re.Match[str]) -> str:
        path, anchor, text = f"{found[1]}.html", found[2] or "", found[3]
        if path in known:
            return f'<a href="{root}{path}{anchor}">{text}</a>'
        if path in elsewhere:
            return f'<a href="http://{host_of("stdlib")}/stdlib/{path}{anchor}">{text}</a>'
        digest = hashlib.blake2b(path.encode(), digest_size=4).digest()
        dead = int.from_bytes(digest) % DEAD_LINKS_KEPT == 0
        return f'<a href="{root}{path}">{text}</a>' if dead else text

    return _LINK.sub(link, html)


def _text(text: str) -> Answer:
    return Answer(text.encode(), "text/plain; charset=utf-8")


def _moved(to: str) -> Answer:
    body = f'<!DOCTYPE html>\n<html lang=en><body><a href="{to}">Moved</a></body></html>'
    return Answer(body.encode(), status=301, location=to)


def _icon(side: int = 16) -> bytes:
    """Draw a grey square as a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80" * side) * side)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    )
