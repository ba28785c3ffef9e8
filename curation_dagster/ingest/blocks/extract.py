"""Main text of a page by the expected-F1 cut over its blocks' probabilities: the extractor `blocks`.

Deterministic, and bounded by counts, never by a clock: a page with more elements or blocks than
`scratch` allows is refused. Everything heavy releases the GIL, so threads help.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from curation_dagster.ingest.about import Tags
from curation_dagster.ingest.blocks import features, markup
from curation_dagster.ingest.blocks.model import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.ingest.blocks.model import Model
    from curation_dagster.ingest.blocks.scratch import Scanned

_FEW_WORDS: Final = 60  # expected main text below which the page's description is worth adding
_LEAST_SCORE: Final = 0.2  # expected F-beta below which a page has no main text
_COVERED: Final = 0.8
_COMMENT_WORDS, _COMMENT_LINK_SHARE = 5, 0.5
REFUSED: Final = {1: "too many elements", 2: "too many blocks of text"}


def main_text(
    page: Scanned,
    model: Model | None = None,
    *,
    description: str | None = None,
    markdown: bool = False,
    comments: bool = False,
) -> str:
    """Return the main text of a scanned page, "" where there is none; `model` is the shipped one by default.

    The page's own description stands before a short text that does not hold its words. Customers' reviews are
    comments, unless there is little else.
    """
    if not len(page.blocks):
        return ""
    from curation_dagster.ingest.blocks import (
        forest_kernel,
        scan_kernel,
        twins_kernel,
        unity_kernel,
    )

    model = model or load()
    p = probabilities(page, model)
    twins_kernel.settle(page.blocks, page.flags, twins(page), p)
    words = page.blocks[:, scan_kernel.WORDS]
    if not comments:
        opinions = reviews(page)
        if p[~opinions] @ words[~opinions] >= _FEW_WORDS:
            p[opinions] = 0
    keep, expected = forest_kernel.select(p, words, model.beta, _LEAST_SCORE)
    unity_kernel.complete(page.blocks, page.tags, page.parents, p, keep)
    if comments:
        keep |= _comments(page)
    text = unescape(_rendered(page, keep, markdown=markdown))
    if 1 <= expected < _FEW_WORDS:
        text = _described(text, description or "")
    return text


def probabilities(page: Scanned, model: Model) -> NDArray[np.float32]:
    """Return the chance of each block's words to be main text."""
    from curation_dagster.ingest.blocks import features_kernel, forest_kernel, hindsight_kernel

    width = forest_kernel.ROWS
    n, n_sight = len(page.blocks), len(features.SIGHT)
    rows = np.empty((n, n_sight + len(features.HINDSIGHT)), np.float32)
    features_kernel.see(
        page.html, page.text, page.blocks, page.tags, page.parents, page.flags, page.signatures,
        page.class_from, page.class_to, page.classes, page.hashes, page.facts, len(page.facts),
        model.class_weights, rows[:, :n_sight],
    )  # fmt: skip
    p = np.empty(n, np.float32)
    forest_kernel.predict(rows, np.arange(n, dtype=np.int32), width, *model.sight, p)
    hindsight_kernel.look_back(
        page.blocks, page.tags, page.parents, page.flags, page.signatures, p, rows[:, n_sight:]
    )
    likely = np.flatnonzero(p >= model.floor).astype(np.int32)
    forest_kernel.predict(rows, likely, width, *model.hindsight, p)
    return p


def twins(page: Scanned) -> NDArray[np.int32]:
    """Return the block that each block repeats for the layout's sake, or -1."""
    from curation_dagster.ingest.blocks import twins_kernel

    found: NDArray[np.int32] = twins_kernel.twins(
        page.blocks, page.tags, page.parents, page.flags, page.class_from, page.class_to
    )
    return found


def reviews(page: Scanned) -> NDArray[np.bool_]:
    """Return which blocks lie in a section of customers' reviews."""
    from curation_dagster.ingest.blocks import reviews_kernel

    found: NDArray[np.bool_] = reviews_kernel.reviews(
        page.blocks, page.tags, page.parents, page.flags, page.class_from, page.class_to, page.classes
    )  # fmt: skip
    return found


def tags(page: Scanned) -> Tags:
    """Return what the page says of itself."""
    held = page.html
    said = Tags(None, None, [], [], [])
    for kind, k0, k1, v0, v1 in page.facts.tolist():
        value = held[v0:v1].tobytes()
        if kind == markup.META:
            said.metas.append((held[k0:k1].tobytes().lower(), value))
        elif kind in {markup.LINK, markup.ANCHOR}:
            said.links.append((held[k0:k1].tobytes().lower(), value))
        elif kind == markup.JSON_LD:
            said.json_ld.append(value)
        elif kind == markup.TITLE:
            said = said._replace(title=value)
        elif said.lang is None:
            said = said._replace(lang=value)
    return said


def unescape(utf8: bytes) -> str:
    """Decode text and resolve its character references; a number beyond Unicode becomes U+FFFD."""
    if b"&" not in utf8:
        return utf8.decode("utf-8", "replace")
    from curation_dagster.ingest.blocks import entities_kernel

    out = np.empty(2 * len(utf8), np.uint8)
    n = entities_kernel.unescape(np.frombuffer(utf8, np.uint8), out)
    return out[:n].tobytes().decode("utf-8", "replace")


def _rendered(page: Scanned, keep: NDArray[np.bool_], *, markdown: bool) -> bytes:
    from curation_dagster.ingest.blocks import render_kernel

    out = np.empty(render_kernel.room(page.blocks, keep, markdown), np.uint8)
    n = render_kernel.render(page.text, page.blocks, page.tags, page.parents, keep, markdown, out)
    return out[:n].tobytes()


def _comments(page: Scanned) -> NDArray[np.bool_]:
    from curation_dagster.ingest.blocks import scan_kernel as scanned

    blocks = page.blocks
    words = blocks[:, scanned.WORDS]
    found: NDArray[np.bool_] = (
        ((page.flags[blocks[:, scanned.ELEMENT]] & markup.FLAG["comment"]) != 0)
        & (words >= _COMMENT_WORDS)
        & (blocks[:, scanned.LINK_WORDS] < _COMMENT_LINK_SHARE * words)
    )
    return found


def _described(text: str, description: str) -> str:
    wanted = re.findall(r"\w+", description.lower())
    there = set(re.findall(r"\w+", text.lower()))
    if not wanted or sum(word in there for word in wanted) >= _COVERED * len(wanted):
        return text
    return f"{description}\n\n{text}" if text else description
