"""What datatrove 0.10.1's filters compute, slowly, for given words: the signals before they are compared."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl
import splitter_oracle

from curation_dagster.annotate.family import Chunk, Family
from curation_dagster.annotate.gopher import STOP_WORDS
from curation_dagster.annotate.splitter import SYMBOL as SYMBOL_BIT
from curation_dagster.annotate.splitter import TERMINALS, classes, words_of
from curation_dagster.words import buffers

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]


def over(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def is_symbols(word: str) -> bool:
    return all(ord(c) < 0x32400 and classes()[ord(c)] & SYMBOL_BIT for c in word)


def gopher_quality(text: str, words: Sequence[str]) -> Row:
    counted = [w for w in words if not is_symbols(w)]
    lines = text.splitlines()
    return {
        "gopher_word_count": len(counted),
        "gopher_stop_word_count": len(set(STOP_WORDS) & set(words)),
        "gopher_mean_word_chars": over(sum(map(len, counted)), len(counted)),
        "gopher_hash_word_ratio": over(text.count("#"), len(words)),
        "gopher_ellipsis_word_ratio": over(text.count("...") + text.count("…"), len(words)),
        "gopher_bullet_line_ratio": over(
            sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)
        ),
        "gopher_ellipsis_line_ratio": over(
            sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)
        ),
        "gopher_alpha_word_ratio": over(
            sum(any(splitter_oracle.is_alpha(c) for c in w) for w in words), len(words)
        ),
    }


def copies(pieces: Sequence[str]) -> tuple[int, int]:
    seen: set[str] = set()
    copied = [piece for piece in pieces if piece in seen or seen.add(piece)]  # type: ignore[func-returns-value]
    return len(copied), sum(map(len, copied))


def top_chars(words: Sequence[str], n: int) -> int:
    counts = Counter(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))
    if not counts:
        return 0
    gram, count = counts.most_common(1)[0]
    return len(gram) * count


def copied_chars(words: Sequence[str], n: int) -> int:
    seen = set()
    i = chars = 0
    while i < len(words) - n + 1:
        gram = "".join(words[i : i + n])
        if gram in seen:
            chars += len(gram)
            i += n
        else:
            seen.add(gram)
            i += 1
    return chars


def gopher_repetition(text: str, words: Sequence[str]) -> Row:
    lines, paragraphs = re.split(r"\n+", text), re.split(r"\n{2,}", text.strip())
    line_copies, line_chars = copies(lines)
    paragraph_copies, paragraph_chars = copies(paragraphs)
    row: Row = {
        "gopher_dup_line_ratio": over(line_copies, len(lines)),
        "gopher_dup_paragraph_ratio": over(paragraph_copies, len(paragraphs)),
        "gopher_dup_line_char_ratio": over(line_chars, len(text)),
        "gopher_dup_paragraph_char_ratio": over(paragraph_chars, len(text)),
    }
    for n in range(2, 11):
        chars = top_chars(words, n) if n < 5 else copied_chars(words, n)
        row[f"gopher_{'top' if n < 5 else 'dup'}_{n}gram_char_ratio"] = over(chars, len(text))
    return row


def fineweb(text: str, words: Sequence[str]) -> Row:
    lines = [line for line in text.split("\n") if line.strip()]
    return {
        "fineweb_terminal_line_ratio": over(
            sum(line.endswith(tuple(TERMINALS)) for line in lines), len(lines)
        ),
        "fineweb_short_line_ratio": over(sum(len(line) <= 30 for line in lines), len(lines)),
        "fineweb_dup_line_char_ratio": over(copies(lines)[1], len(text.replace("\n", ""))),
        "fineweb_newline_word_ratio": over(text.count("\n"), len(words)),
    }


POLICY = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)


def c4_lines(text: str, *, terminal: bool = True, min_words: int = 3) -> tuple[str, Row]:
    kept = []
    row = dict.fromkeys(
        (
            "c4_line_count",
            "c4_dropped_line_count",
            "c4_lorem_ipsum_line_count",
            "c4_curly_bracket_line_count",
        ),
        0,
    )
    for whole in text.splitlines():
        row["c4_line_count"] += 1
        row["c4_dropped_line_count"] += 1
        words = whole.strip().split()
        if any(len(word) > 1000 for word in words):
            continue
        line = re.sub(r"\[\d*]|\[edit]|\[citation needed]", "", whole.strip())
        if terminal and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            continue
        if len(words) < min_words:
            continue
        lower = "".join(c.lower() if c.isascii() else c for c in line)
        row["c4_lorem_ipsum_line_count"] += "lorem ipsum" in lower
        if "javascript" in lower:
            continue
        row["c4_curly_bracket_line_count"] += "{" in line
        if any(phrase in lower for phrase in POLICY):
            continue
        row["c4_dropped_line_count"] -= 1
        kept.append(line)
    return "\n".join(kept).strip(), row


def c4_page(text: str, words: Sequence[str]) -> Row:
    """Count sentences line by line; the words of a line are found as those that stand in it."""
    lines, of_lines, at = text.split("\n"), [], 0
    left = list(words)
    for line in lines:
        of_line: list[str] = []
        at = 0
        while left and (found := line.find(left[0], at)) >= 0:
            of_line.append(left.pop(0))
            at = found + len(of_line[-1])
        of_lines.append(of_line)
    return {
        "c4_sentence_count": sum(splitter_oracle.sentences(of_line) for of_line in of_lines),
        "c4_char_count": len(text),
        "c4_long_line_count": sum(len(line) >= 200 for line in lines),
    }


def measured(family: Family, judge: object, texts: list[str], words: list[list[str]]) -> list[Row]:
    """Measure texts whose words something else split."""
    data, offsets, owner = buffers(pl.Series(texts, dtype=pl.String))
    chunk = Chunk(data, offsets)
    chunk.words = words_of(texts, words)
    found = family.measure(chunk, judge)
    assert owner is not None
    rows = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
    return [{k: None if math.isnan(v) else v for k, v in row.items()} for row in rows]
