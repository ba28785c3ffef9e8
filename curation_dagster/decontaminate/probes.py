"""Probes: benchmark items planted in neutral text, and neutral text alone, sent through the cascade of every run.

What a run finds says nothing if its thresholds are wrong or a benchmark's file is empty: it looks like a clean
corpus. So a keyed sample of each benchmark's items is planted, copied and rewritten in ways that do not need a model,
and searched for by the very steps, built once, that search the corpus. Nothing of it becomes a row; the counts go
into the footer of `scanned`, and `probed` says whether they will do. Cost: a few hundred texts of about 150 terms.
"""

from __future__ import annotations

import re
from keyword import kwlist
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from curation_dagster.chance import keyed
from curation_dagster.decontaminate import judge
from curation_dagster.decontaminate.neutral import NEUTRAL
from curation_dagster.probed import COPIED, FUZZY, KINDS, WHOLE
from curation_dagster.recipe_decontaminate import PARTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation_dagster.decontaminate.cascade import Cascade
    from curation_dagster.recipe_decontaminate import Decontaminate

_PART: Final = ["benchmark", "item", "part"]
_ORDER: Final = {part: place for place, part in enumerate(PARTS)}
_CLAUSE: Final = re.compile(r".+?(?:[.;:,?!](?=\s|$)|[。，；：？！]|\n|$)\s*", re.DOTALL)
_EVERY_NTH: Final = 8  # word that `edited` leaves out
_CHUNK: Final = 7  # words that change places where a text has no clauses
_NAME: Final = re.compile(r"\b[A-Za-z_]\w*")
_RENAMED: Final = 5  # of so many names, one
_UNSPACED: Final = 15  # characters of a word of a script without spaces, at least
_WORDS: Final = dict(
    enumerate("two three four five six seven eight nine ten eleven twelve".split(), 2)
)
_MARKS: Final = str.maketrans(",.", ";!")
_NUMBERS: Final = {word: str(number) for number, word in _WORDS.items()}


def probe(searched: Cascade, config: Decontaminate) -> dict[str, Any]:
    """Plant, search, and count by benchmark, step and kind: planted and found; by step: clean texts and those hit."""
    planted = plant(_sample(searched, config))
    texts = pl.concat([planted["text"], pl.Series("text", NEUTRAL)])
    found = {name: finder.find(texts) for name, finder in searched.finders.items()}
    found[WHOLE] = searched.find(texts)
    items = dict(searched.ids.group_by("benchmark").len().iter_rows())
    return {
        "items": {b.name: items.get(b.name, 0) for b in config.benchmarks},
        "steps": list(config.steps),
        "planted": [row for step in found for row in _counted(planted, found, step)],
        "clean": [_clean(rows, planted.height, step) for step, rows in found.items()],
    }


def plant(sample: pl.DataFrame) -> pl.DataFrame:
    """Put every part of a sample into the middle of a neutral text, once for each kind; start and end are bytes.

    `sample` has benchmark, item, part, text, is_code and a column for each step: whether it can find the part.
    """
    rows = [
        row | {"kind": kind, **_within(_WRITERS[kind](row["text"], row["is_code"]), i)}
        for i, row in enumerate(sample.iter_rows(named=True))
        for kind in KINDS
    ]
    planted = {"kind": pl.String, "start": pl.UInt32, "end": pl.UInt32}
    return pl.DataFrame(rows, schema={**sample.schema, **planted}, orient="row")


def _sample(searched: Cascade, config: Decontaminate) -> pl.DataFrame:
    """Take of each benchmark a keyed sample of items, and of each the part that most steps can find."""
    items, steps = searched.items, list(searched.finders)
    for name, finder in searched.finders.items():
        can = finder.detectable.select(_PART).unique().with_columns(pl.lit(value=True).alias(name))
        items = items.join(can, on=_PART, how="left", maintain_order="left")
        items = items.with_columns(pl.col(name).fill_null(value=False))
    code = [b.name for b in config.benchmarks if b.kind == "code"]
    best = (
        items.with_columns(
            able=pl.sum_horizontal(pl.col(step).cast(pl.Int32) for step in steps),
            order=pl.col("part").replace_strict(_ORDER, return_dtype=pl.Int32),
            is_code=(pl.col("part") == "code") | pl.col("benchmark").is_in(code),
        )
        .filter(pl.col("able") > 0)
        .sort("able", "order", descending=[True, False], maintain_order=True)
        .unique(["benchmark", "item"], keep="first", maintain_order=True)
    )
    key = keyed(
        best.select(pl.concat_str("benchmark", "item", separator="\0")).to_series(), "probe"
    )
    picked = best.with_columns(key=key).sort("benchmark", "key", "item")
    picked = picked.group_by("benchmark", maintain_order=True).head(config.probes.items)
    return picked.select(*_PART, "text", "is_code", *steps)


def _counted(
    planted: pl.DataFrame, found: dict[str, pl.DataFrame], step: str
) -> list[dict[str, Any]]:
    """Count what a step was to find and found.

    What is rewritten, FUZZY is asked for where it finds the item verbatim: an item too much like its neighbours is
    not to be told from them, however it is written.
    """
    mine = planted.with_columns(hit=_hit(planted, found[step]))
    if step != WHOLE:
        mine = mine.filter(step)
    if FUZZY in found and step in {FUZZY, WHOLE}:
        known = planted.filter(_hit(planted, found[FUZZY]), kind=KINDS[0]).select(_PART)
        rewritten = mine.join(known, on=_PART, how="semi", maintain_order="left")
        copied = pl.col("kind").is_in(COPIED)
        mine = pl.concat([mine.filter(copied), rewritten.filter(~copied)])
    groups = mine.group_by("benchmark", "kind", maintain_order=True).agg(
        planted=pl.len(), found=pl.col("hit").sum()
    )
    return [{"step": step, **row} for row in groups.iter_rows(named=True)]


def _hit(planted: pl.DataFrame, found: pl.DataFrame) -> pl.Series:
    """Say which texts have a hit on their benchmark that overlaps what was planted."""
    mine = planted.select("benchmark", "start", "end").with_row_index("doc")
    hits = mine.join(
        found.select("doc", "benchmark", first="start", last="end"), on=["doc", "benchmark"]
    )
    hits = hits.filter(pl.col("first") < pl.col("end"), pl.col("last") > pl.col("start"))
    return mine["doc"].is_in(hits["doc"].unique().implode())


def _clean(found: pl.DataFrame, first: int, step: str) -> dict[str, Any]:
    """Count the neutral texts a step takes for contaminated; a question nobody has answered is not taken for that."""
    hits = found.filter(pl.col("doc") >= first, pl.col("method") != judge.UNANSWERED)
    benchmarks = hits["benchmark"].unique().sort().to_list()
    return {
        "step": step,
        "texts": len(NEUTRAL),
        "hit": hits["doc"].n_unique(),
        "benchmarks": benchmarks,
    }


def _within(text: str, number: int) -> dict[str, Any]:
    """Put a text between two lines or sentences of a neutral one."""
    around = NEUTRAL[number % len(NEUTRAL)]
    lines = around.split("\n")
    before = "\n".join(lines[: len(lines) // 2]) + "\n"
    start = len(before.encode())
    whole = before + text + "\n" + "\n".join(lines[len(lines) // 2 :])
    return {"text": whole, "start": start, "end": start + len(text.encode())}


def restyled(text: str, is_code: bool = False) -> str:
    """Change white space, and but for code letter case and punctuation.

    >>> restyled("One hen, two hens.")
    'ONE  hen; TWO  hens!'
    """
    if is_code:
        return re.sub(r"\n", "\n\n", re.sub(r" {4}", "\t", text))
    words = text.translate(_MARKS).split(" ")
    return "".join(
        (word.upper() + "  " if i % 2 == 0 else word + " ") for i, word in enumerate(words)
    ).rstrip()


def edited(text: str, is_code: bool = False) -> str:
    """Leave out every eighth word, in a script without spaces every eighth character, of code every eighth line.

    >>> edited("a b c d e f g h i j")
    'A  b C  d E  f G  i J'
    """
    if is_code:
        lines = text.split("\n")
        gone = range(_EVERY_NTH - 1, len(lines), _EVERY_NTH) or range(1, len(lines) - 1, len(lines))
        return restyled("\n".join(x for i, x in enumerate(lines) if i not in gone), is_code)
    pieces = re.split(r"(\s+)", text)
    if len(text) > _UNSPACED * len(pieces):
        pieces = [part for char in text for part in (char, "")]
    last = 2 * _EVERY_NTH - 2  # the eighth word, and the space behind it
    return restyled("".join(p for i, p in enumerate(pieces) if i % (last + 2) < last))


def paraphrased(text: str, is_code: bool = False) -> str:
    """Let clauses change places, every second one first, and write numbers otherwise; of code rename every fifth name.

    >>> paraphrased("Ann has 3 hens, Bob has two, and Cy has 1500. Who has most?")
    'Bob has 2, Who has most? Ann has three hens, and Cy has 1,500. '
    >>> paraphrased("a = b + c * d - e / f if a else f", True)
    'a = b + c * d - e_2 / f if a else f'
    """
    if is_code:
        return _renamed(text)
    clauses = [c for c in _CLAUSE.findall(text) if c.strip()]
    if len(clauses) < 3:  # noqa: PLR2004 - two are no order worth speaking of
        words = text.split()
        clauses = [" ".join(words[i : i + _CHUNK]) + " " for i in range(0, len(words), _CHUNK)]
    moved = "".join(c if c[-1].isspace() else f"{c} " for c in clauses[1::2] + clauses[::2])
    return re.sub(r"\b(?:\d{1,3}(?:,\d{3})+|\d+|[a-z]{3,6})\b", _otherwise, moved)


def _renamed(text: str) -> str:
    names = dict.fromkeys(name for name in _NAME.findall(text) if name not in kwlist)
    renamed = {name: f"{name}_2" for i, name in enumerate(names, 1) if i % _RENAMED == 0}
    return _NAME.sub(lambda match: renamed.get(match.group(), match.group()), text)


def _otherwise(match: re.Match[str]) -> str:
    word = match.group()
    if word.isdigit():
        number = int(word)
        return _WORDS.get(number, f"{number:,}" if str(number) == word else word)
    return word.replace(",", "") if word[0].isdigit() else _NUMBERS.get(word, word)


_WRITERS: Final[dict[str, Callable[[str, bool], str]]] = {
    "verbatim": lambda text, _: text,
    "restyled": restyled,
    "edited": edited,
    "paraphrased": paraphrased,
}
