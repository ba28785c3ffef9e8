"""What the tests of published rule sets share: texts, and a judge reduced to one of its rules."""

from __future__ import annotations

import functools
import gzip
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import strategies as st
from shared_data import DATA

from curation_dagster.annotate.stage import annotate, signal_columns
from curation_dagster.clean.rules import rules_of
from curation_dagster.clean.stage import clean
from curation_dagster.recipe_file import presets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from curation_dagster.section import Section

    Row = dict[str, float | None]

BENCH = DATA / "bench/text-8000.parquet"
CHINESE = DATA / "domain/chinesewebtext2-domain-test.jsonl.gz"
ODD = (
    "",
    " ",
    "\n",
    "\n\n\n",
    " \n\n\t \u3000\r\n",
    "one",
    "字",
    "字" * 13,
    "字" * 14,
    "!!! ... ### \u2014 ?!",
    "-" * 9 + "=" * 10 + "-" * 10,
    "a" * 6 + " " + "b" * 7 + "_" * 9 + " " + "_" * 10,
    "\\" * 19 + " " + "\\" * 20,
    "x" * 1_000_000,
    "the be to " * 30_000,
    "\U0001f600 \U0001f600\U0001f600\u2764\ufe0f end \U0010ffff",
    "東京は日本の首都です。\n東京は日本の首都です。\n\n春は曙",
    "a\r\nb\rc\x0bd\x0ce\x1cf\x85g\u2028h\u2029i\x1fj",
    "para\n\npara\n\n\npara\n \npara\n\n",
    "- a\n\u2022 b\n  \u25cf c\nd...\ne \u2026 \nf [...]\ng (...)\nh [\u2026]\ni -»\nj Read More\nREAD MORE..",
    "http:// https://a.b/c%20d%2g http://x http https://ü wwwwww www.a www\nwww www.",
    'xml <?xml version="1.0"?> xml version= "a": lorem ipsum Lorem ipsum <<',
    "#a# ## # a# ### #b #",
    "Terms of USE\n\nok\n\nWe Use Cookies\nno",
    "ſK İstanbul ΟΔΟΣ Ⅷ ½ ²x",
)
PIECES = (
    *"ab7_#<\"':.-/\\,?!…»({[東字上士\u0301\xa0\u3000\u2764\U0001f600Гİ½\r\t",
    *(" ", " ", " ", "\n", "\n", "\n\n", "the", "be", "to ", "aaaaaaa", "..........", "----------"),
    *("www.", "https://", "http", "xml version=", "lorem ipsum", "read more", "[...]", "uses cookies"),
    *("字字字字字字字字字字字字字字", "to be or not", "\t" * 20, " " * 40, "privacy policy\n\n", "-»"),
)  # fmt: skip
TEXTS = st.lists(
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=40), max_size=6
)


@functools.cache
def bench() -> tuple[str, ...]:
    """Give every twentieth text of the bench corpus, and sixty Chinese ones."""
    if not BENCH.is_file():
        pytest.skip(f"{BENCH} is not on this machine")
    texts = pl.read_parquet(BENCH, columns=["text"])["text"]
    chinese = texts.filter(texts.str.count_matches("[\u4e00-\u9fa5]") > 200)
    return (*texts.gather_every(20), *chinese.gather_every(4))


@functools.cache
def chinese() -> tuple[str, ...]:
    """Give 300 documents of ChineseWebText 2.0, as the words that are left of them."""
    if not CHINESE.is_file():
        pytest.skip(f"{CHINESE} is not on this machine")
    with gzip.open(CHINESE, "rt", encoding="utf-8") as lines:
        return tuple(json.loads(line)["tokens"] for line in lines)


def measured(judge: Section, texts: Iterable[str | None]) -> pl.DataFrame:
    """Measure one judge."""
    return annotate(pl.Series(list(texts), dtype=pl.String), (judge,)).drop("text")


def agree(judge: Section, oracle: Callable[[str], Row], texts: Iterable[str]) -> None:
    """Compare kernel and oracle; equal, not close: the same integers are divided."""
    texts = list(texts)
    for text, found in zip(texts, measured(judge, texts).to_dicts(), strict=True):
        assert found == oracle(text), repr(text[:300])


def does_not_depend_on_company(judge: Section) -> None:
    """Measure texts together, alone, in another order and as a slice of a column."""
    texts = pl.Series([None, *ODD], dtype=pl.String)
    whole = measured(judge, texts)
    assert pl.concat([measured(judge, [text]) for text in texts]).equals(whole)
    assert measured(judge, texts.reverse()).reverse().equals(whole)
    sliced = annotate(texts[3:9], (judge,)).drop("text")
    assert sliced.equals(whole[3:9])
    assert set(whole.row(0)) == {None}
    assert whole.schema == pl.Schema(signal_columns((judge,)))
    assert measured(judge, []).height == 0


def only(judge: Section, field: str) -> Section:
    """Switch off every bound of a judge but one."""
    bounds = (n for n, i in type(judge).model_fields.items() if i.json_schema_extra)
    return judge.model_copy(update={name: None for name in bounds if name != field})


def rejected_by(judge: Section, text: str | None) -> str | None:
    """Annotate a text, and clean it."""
    signals = annotate(pl.Series([text], dtype=pl.String), (judge,)).drop("text")
    found = clean(signals, rules_of((judge,)))["rejected_by"].item()
    return None if found is None else str(found)


def bounds_of(judge: type[Section]) -> set[str]:
    """Name the bounds of a judge."""
    return {name for name, info in judge.model_fields.items() if info.json_schema_extra}


def is_preset(name: str, judge: Section, lists: set[str]) -> None:
    """Compare a preset with the defaults of its only judge; every field but the lists is written out."""
    preset: dict[str, Any] = presets()[name]
    (step,) = preset["steps"]
    assert type(judge).model_validate(step) == judge
    assert set(step) == set(type(judge).model_fields) - lists
    assert {"title", "source"} <= preset.keys()


def a_list(folder: Path, name: str, *phrases: str) -> dict[str, str]:
    """Write a list of phrases, and say where it is as a recipe does."""
    path = folder / name
    path.write_text("\n".join(phrases), "utf-8")
    return {"path": str(path)}


def over(part: float, whole: float) -> float | None:
    """Divide; None where there is nothing to divide by."""
    return part / whole if whole else None
