"""What a page says of itself in its tags: title, language, canonical URL, licence, description.

Values arrive as they stand in the page, in UTF-8 and entity-encoded. A value that is not what its field
holds is passed over for the next source, as are links that do not resolve. Not here: finding tags.

A licence is, first come: a `rel=license` link; JSON-LD (schema.org) of the page; a Dublin Core `<meta>`; a
`<meta>` called license or copyright with the URL of a known licence; and a Creative Commons link where all
such links of the page name one licence. What JSON-LD says of pictures and the like is not said of the page.
"""

from __future__ import annotations

import html
import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urljoin

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TEXT_CHARS: Final = 1000
MAX_LICENSE_CHARS: Final = 200  # of a licence in words
MAX_URL_CHARS: Final = 2000
_MAX_RAW_BYTES: Final = 1 << 14  # of a value: more is not looked at
_MAX_JSON_BYTES: Final = 1 << 20
_MAX_NODES: Final = 1000  # of JSON-LD
_DUBLIN_CORE: Final = (
    b"dcterms.license", b"dc.license", b"dc.rights.license", b"dcterms.rights", b"dc.rights",
)  # fmt: skip
_MEDIA: Final = re.compile(r"(?:Audio|Image|Media|Music\w*|Video|3DModel)Object|Photograph")
_URL: Final = re.compile(
    r"https?://(?:[^\s/?#@:\[\]]+|\[[0-9a-f:.]+\])(?::\d+)?(?:[/?#]\S*)?", re.IGNORECASE
)
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,4}")
_NO_LANGUAGE: Final = {"und", "zxx", "mul", "mis"}
_CC: Final = re.compile(
    r"https?://(?:[a-z0-9-]+\.)?creativecommons\.org/"
    r"(licenses/[a-z+-]+|publicdomain/(?:zero|mark))(?:/([\d.]+))?(?:/\S*)?", re.IGNORECASE,
)  # fmt: skip
_KNOWN: Final = re.compile(
    r"https?://(?:[a-z0-9-]+\.)?(?:creativecommons\.org/(?:licenses|publicdomain)/|opensource\.org/licen[cs]es?/"
    r"|gnu\.org/(?:licenses|copyleft)/|apache\.org/licenses/|opendatacommons\.org/licenses/|spdx\.org/licenses/"
    r"|mozilla\.org/(?:[\w-]+/)?MPL|unlicense\.org|rightsstatements\.org/(?:vocab|page)/"
    r"|nationalarchives\.gov\.uk/doc/(?:open-government|non-commercial-government)-licence)", re.IGNORECASE,
)  # fmt: skip


class Tags(NamedTuple):
    """What a scan of the page collects, in document order."""

    lang: bytes | None  # of <html>: lang or xml:lang
    title: bytes | None  # what the first <title> holds
    metas: list[
        tuple[bytes, bytes]
    ]  # (name, property, http-equiv or itemprop in lower case; content)
    links: list[
        tuple[bytes, bytes]
    ]  # (rel, href) of <link>, of <a rel>, and of <a> to creativecommons.org
    json_ld: list[bytes]


class About(NamedTuple):
    """What a page says of itself; None: nothing, or nothing that makes sense."""

    title: str | None
    language: str | None  # a BCP 47 tag in lower case: "pt-br"
    canonical_url: str | None
    license: str | None  # a URL, or at most 200 characters
    description: str | None


def about(tags: Tags, base_url: str | None = None) -> About:
    """Read the tags; of equal ones the first with content counts. Cost: some 10 us, and parsing JSON-LD."""
    metas: dict[bytes, bytes] = {}
    for name, content in tags.metas:
        if name not in metas and content and not content.isspace():
            metas[name] = content
    languages = (tags.lang, metas.get(b"content-language"), metas.get(b"og:locale"))
    canonicals = [*_hrefs(tags.links, b"canonical"), metas.get(b"og:url")]
    return About(
        title=_text(tags.title) or _text(metas.get(b"og:title")),
        language=next(filter(None, map(_language, languages)), None),
        canonical_url=next(filter(None, (_url(raw, base_url) for raw in canonicals)), None),
        license=next(_licenses(tags, metas, base_url), None),
        description=_text(metas.get(b"description")) or _text(metas.get(b"og:description")),
    )


def _licenses(tags: Tags, metas: dict[bytes, bytes], base: str | None) -> Iterator[str]:
    """Yield what is said of the licence, what counts most first."""
    yield from filter(None, (_url(href, base) for href in _hrefs(tags.links, b"license")))
    for block in tags.json_ld:
        if b'"license"' in block and len(block) <= _MAX_JSON_BYTES:
            yield from _in_json(block, base)
    for name in _DUBLIN_CORE:
        stated = _stated(metas.get(name) or metas.get(name.replace(b".", b":")), base)
        if stated:
            yield stated
    for name in (b"license", b"copyright"):
        url = _url(metas.get(name), None)
        if url and _KNOWN.match(url):
            yield url
    linked = [
        _url(href, None) or "" for _, href in tags.links if b"creativecommons.org" in href.lower()
    ]
    deeds = {(m[1].lower(), m[2]): m[0] for m in map(_CC.fullmatch, reversed(linked)) if m}
    if len(deeds) == 1:
        yield from deeds.values()


def _hrefs(links: list[tuple[bytes, bytes]], token: bytes) -> list[bytes]:
    return [href for rel, href in links if rel and token in rel.lower().split()]


def _in_json(block: bytes, base: str | None) -> Iterator[str]:
    """Yield the licences of the nodes that are the page, or what it is about."""
    try:
        nodes = [json.loads(block.decode("utf-8", "replace"), strict=False)]
    except (ValueError, RecursionError):
        return
    for node in islice(nodes, _MAX_NODES):  # which grows
        if isinstance(node, list):
            nodes.extend(node)
        elif isinstance(node, dict) and not _is_media(node.get("@type")):
            yield from filter(None, (_stated(raw, base) for raw in _values(node.get("license"))))
            nodes.extend(node[key] for key in ("@graph", "mainEntity") if key in node)


def _is_media(kind: Any) -> bool:  # noqa: ANN401 - what JSON holds
    kinds = kind[:_MAX_NODES] if isinstance(kind, list) else [kind]
    return any(isinstance(k, str) and _MEDIA.search(k) for k in kinds)


def _values(license: Any) -> Iterator[bytes]:  # noqa: A002, ANN401 - what JSON holds
    for value in license[:_MAX_NODES] if isinstance(license, list) else [license]:
        found = value.get("@id") or value.get("url") if isinstance(value, dict) else value
        if isinstance(found, str):
            yield found[:_MAX_RAW_BYTES].encode("utf-8", "replace")  # JSON has lone surrogates


def _stated(raw: bytes | None, base: str | None) -> str | None:
    """Read a licence that may be a URL or words."""
    words = _text(raw)
    if words and " " not in words and words.lower().startswith(("http:", "https:", "/")):
        return _url(raw, base)
    return words and words[:MAX_LICENSE_CHARS].rstrip()


def _language(raw: bytes | None) -> str | None:
    tag = raw.strip().lower().replace(b"_", b"-").decode("latin-1") if raw else ""
    return tag if _LANGUAGE.fullmatch(tag) and tag not in _NO_LANGUAGE else None


def _url(raw: bytes | None, base: str | None) -> str | None:
    """Resolve a URL; None unless it is an absolute one of the web. A mere fragment names nothing."""
    url = (_text(raw, MAX_URL_CHARS + 1) or "").replace(" ", "%20")
    if not url or len(url) > MAX_URL_CHARS or url.startswith("#"):
        return None
    if _URL.fullmatch(url):
        return url
    try:
        url = urljoin(base or "https:", url)
    except ValueError:  # a bracket in the host
        return None
    return url if _URL.fullmatch(url) else None


def _text(raw: bytes | None, max_chars: int = MAX_TEXT_CHARS) -> str | None:
    """Decode, unescape, and collapse white space."""
    if not raw:
        return None
    text = raw[:_MAX_RAW_BYTES].decode("utf-8", "replace")
    if "&" in text:
        try:
            text = html.unescape(text)
        except ValueError:  # a reference of more than 4300 digits
            return None
    return " ".join(text.split())[:max_chars].rstrip() or None
