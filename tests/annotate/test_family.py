"""What holds for every family of signals and every edit: batches, threads, nulls, types, and odd texts."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter

from curation_dagster.annotate import family
from curation_dagster.annotate.families import EDITS, FAMILIES
from curation_dagster.annotate.family import measure, rewrite
from curation_dagster.clean.rules import rules_of_bounds
from curation_dagster.recipe_steps import Step

STEP: TypeAdapter[Any] = TypeAdapter(Step)
ODD = [
    "",
    " ",
    "\n",
    "word",
    "!?…—",
    "日本語",
    "\U0001f600",
    "x" * 1_000_000,
    "a b " * 200_000,
    "é\n" * 50_000,
]


def found(name: str, texts: pl.Series) -> pl.DataFrame:
    if name in EDITS:
        return rewrite(texts, EDITS[name], STEP.validate_python({"edit": name}))
    return measure(texts, [(FAMILIES[name], STEP.validate_python({"judge": name}))])


@pytest.fixture(params=[*FAMILIES, *EDITS])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_neither_batch_nor_chunk_nor_threads_matter(
    name: str, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = pl.Series(installed)
    whole = found(name, texts)
    assert pl.concat([found(name, pl.Series([t])) for t in installed]).equals(whole)
    assert found(name, texts.reverse()).reverse().equals(whole)
    assert found(name, texts[7:31]).equals(whole[7:31])
    monkeypatch.setattr(family, "CHUNK_BYTES", 5_000)
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 4)
    assert found(name, texts).equals(whole)


def test_null_and_no_rows(name: str) -> None:
    of = EDITS[name] if name in EDITS else FAMILIES[name]
    rows = found(name, pl.Series([None, "a b"], dtype=pl.String))
    assert set(rows.row(0)) == {None}
    assert dict(rows.drop("text", strict=False).schema) == of.columns
    assert found(name, pl.Series([], dtype=pl.String)).height == 0


def test_odd_texts_have_their_signals(name: str) -> None:
    rows = found(name, pl.Series(ODD))
    assert rows.height == len(ODD)
    for column in rows.select(pl.selectors.float()).iter_columns():
        assert column.drop_nulls().is_finite().all(), column.name


def test_every_bound_is_on_a_signal_of_the_family() -> None:
    noted = {column for edit in EDITS.values() for column in edit.columns}
    for judge, of in FAMILIES.items():
        step = STEP.validate_python({"judge": judge})
        named = {
            info.json_schema_extra["signal"]
            for info in type(step).model_fields.values()
            if isinstance(info.json_schema_extra, dict)
        }
        assert named, judge
        assert named <= set(of.columns) | noted
        assert all(rule.split("_")[0] for rule in rules_of_bounds(step))


def test_every_signal_is_named_once_and_defined() -> None:
    signals = [s for of in (*FAMILIES.values(), *EDITS.values()) for s in of.signals]
    names = [signal.name for signal in signals]
    assert sorted(names) == sorted(set(names))
    assert all(signal.definition.endswith(".") for signal in signals)


def test_a_bound_can_be_off() -> None:
    judge = STEP.validate_python({"judge": "gopher_quality", "max_words": "off"})
    assert "gopher_max_words" not in rules_of_bounds(judge)
    assert "gopher_min_words" in rules_of_bounds(judge)
