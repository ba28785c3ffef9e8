"""Plant benchmark questions in pages, so that the demo has real contamination to find.

An item marked `planted` is written in full into a few pages of prose as an exercise, and rephrased into as many; the
others appear nowhere. Which pages carry it follows from a hash of the item's id and the page's address.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING

from curation_dagster.errors import CurationError

if TYPE_CHECKING:
    from curation_dagster.demo.pages import Sheet

BENCHMARK = Path(__file__).parents[2] / "recipes" / "demo-benchmark.jsonl"
"""The questions of the demo, beside the recipes of the repository."""

PAGES_PER_ITEM = 3
"""Pages that carry one planted question, and pages that carry it rephrased: filters and dedup reject some of them."""

MIN_PROSE_WORDS = 150
"""A page that carries a question has at least this many words in paragraphs ..."""

MIN_PROSE_RATIO = 0.6
"""... and at least this share of its words in paragraphs, so that a quality filter keeps it."""

_PARAGRAPH = re.compile(r"<(?:p|li|dd)>(.*?)</(?:p|li|dd)>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_SECTION = '<section id="exercise">\n<h2>Exercise</h2>\n<p>{}</p>\n</section>\n'


@dataclass(frozen=True, slots=True)
class Item:
    """One question of the demo's benchmark."""

    id: str
    question: str
    answer: str
    planted: bool
    rephrased: str


def benchmark() -> list[Item]:
    """Read the demo's benchmark.

    Raises:
        CurationError: if this installation has no recipes folder.
    """
    if not BENCHMARK.is_file():
        raise CurationError(
            f"demo: {BENCHMARK} not found; expected a clone of the repository, where recipes/ lies"
            " beside curation_dagster/. Clone it and run the demo there."
        )
    return [Item(**json.loads(line)) for line in BENCHMARK.read_text("utf-8").splitlines() if line]


def plant(shelves: dict[str, list[Sheet]], items: list[Item]) -> dict[str, list[Sheet]]:
    """Return the shelves with every planted question in its pages, as it is and rephrased, each page carrying one."""
    rich = [
        (name, i) for name in shelves for i, sheet in enumerate(shelves[name]) if carries(sheet)
    ]
    planted = {name: list(sheets) for name, sheets in shelves.items()}
    free = set(rich)
    chosen = [item for item in items if item.planted]
    wanted = [(item, item.question) for item in chosen]
    wanted += [(item, item.rephrased) for item in chosen if item.rephrased]
    wanted *= PAGES_PER_ITEM
    for item, text in wanted[
        : len(rich)
    ]:  # in turns: a small site has every question before a second
        name, i = min(free, key=lambda at: _rank(item, shelves[at[0]][at[1]].path))
        sheet = planted[name][i]
        exercise = _SECTION.format(escape(text, quote=False))
        planted[name][i] = replace(sheet, content=f"{sheet.content}\n{exercise}")
        free.discard((name, i))
    return planted


def carries(sheet: Sheet) -> bool:
    """Tell whether a page is running text for the most part."""
    paragraphs = sum(len(_TAG.sub(" ", text).split()) for text in _PARAGRAPH.findall(sheet.content))
    words = len(_TAG.sub(" ", sheet.content).split())
    return paragraphs >= MIN_PROSE_WORDS and paragraphs >= MIN_PROSE_RATIO * words


def questions_in(html: str, items: list[Item]) -> list[str]:
    """Return the ids of the items whose question a page holds in full."""
    text = unescape(html)
    return [item.id for item in items if item.question in text]


def _rank(item: Item, path: str) -> bytes:
    return hashlib.blake2b(f"{item.id} {path}".encode(), digest_size=8).digest()
