"""The steps joined: what runs, what a footer says, what is built once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from curation_dagster import threads
from curation_dagster.decontaminate import cascade
from curation_dagster.decontaminate.account import Account, items_found
from curation_dagster.decontaminate.found import FOUND, as_lists
from curation_dagster.recipe_decontaminate import Benchmark, Decontaminate, Exact, NGrams
from curation_dagster.schema import HITS
from curation_dagster.section import File

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "A keeper trims seven wicks before dawn and nine after noon; how many wicks has she trimmed by night?"
ROWS = [
    {"id": "long", "question": QUESTION},
    {"id": "six", "question": "Which unlit harbour bell rings twice?"},
    {"id": "short", "question": "Why?"},
    {"id": "empty", "question": None},
]


def config(folder: Path, **said: Any) -> Decontaminate:
    path = folder / "items.jsonl"
    if not path.exists():
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    of = Benchmark(
        **{"name": "wicks", "file": File(path=path), "id_field": "id"} | said.pop("benchmark", {})
    )
    return Decontaminate(
        **{"steps": ("exact", "ngrams"), "exact": Exact(min_bits=20)} | said, benchmarks=(of,)
    )


@pytest.mark.parametrize(
    ("steps", "methods"),
    [
        pytest.param(("exact",), {"long": ["exact"], "six": ["exact"]}, id="exact"),
        pytest.param(("ngrams",), {"long": ["ngrams"]}, id="ngrams"),
        pytest.param(
            ("ngrams", "exact"), {"long": ["exact", "ngrams"], "six": ["exact"]}, id="both"
        ),
    ],
)
def test_the_steps_a_recipe_names_run(
    tmp_path: Path, steps: tuple[str, ...], methods: dict[str, list[str]]
) -> None:
    texts = pl.Series([f"So: {row['question']} Go on." for row in ROWS] + [None])
    found = cascade.build(config(tmp_path, steps=steps)).find(texts)
    assert found.schema == FOUND
    told = found.group_by("item").agg(pl.col("method").sort())
    assert dict(told.iter_rows()) == methods
    assert found.sort(list(found.columns[:1])).equals(found)
    lists = as_lists(found, len(texts))
    assert lists.dtype == HITS
    assert lists.list.len().to_list() == [sum(found["doc"] == i) for i in range(len(texts))]


def test_what_no_step_can_find_is_said(tmp_path: Path) -> None:
    built = cascade.build(config(tmp_path))
    lost = {step: rows["item"].to_list() for step, rows in built.undetectable().items()}
    assert lost == {
        "exact": ["short", "empty"],
        "ngrams": ["six", "short", "empty"],
        cascade.EVERY: ["short", "empty"],
    }
    assert built.undetectable_counts() == {"wicks": {"exact": 2, "ngrams": 3, cascade.EVERY: 2}}


def test_it_is_built_once_and_again_where_something_changed(tmp_path: Path) -> None:
    first = cascade.build(config(tmp_path))
    assert cascade.build(config(tmp_path)) is first
    assert cascade.build(config(tmp_path, benchmark={"action": "flag"})) is first
    other = cascade.build(config(tmp_path, exact=Exact(min_bits=21)))
    assert other is not first
    (tmp_path / "items.jsonl").write_text(json.dumps({"id": "new", "question": QUESTION}) + "\n")
    assert cascade.build(config(tmp_path)).ids["item"].to_list() == ["new"]


def test_the_account_of_shards_adds_up(tmp_path: Path) -> None:
    built = cascade.build(config(tmp_path))
    shards = [[QUESTION, None], ["nothing"], [ROWS[1]["question"], QUESTION]]
    footers = []
    for shard in shards:
        account = Account()
        texts = pl.Series(shard, dtype=pl.String)
        for text in (texts[:1], texts[1:]):
            account.add(as_lists(built.find(text), len(text)))
        footers.append(json.loads(json.dumps({"found": account.found})))
    assert [footer["found"] for footer in footers] == [
        {"wicks": {"exact": ["long"], "ngrams": ["long"]}},
        {},
        {"wicks": {"exact": ["long", "six"], "ngrams": ["long"]}},
    ]
    assert items_found(footers) == {"wicks": {"exact": ["long", "six"], "ngrams": ["long"]}}


def test_no_benchmarks() -> None:
    built = cascade.build(Decontaminate())
    assert built.find(pl.Series(["one two three", None])).is_empty()
    assert built.undetectable()[cascade.EVERY].is_empty()


@pytest.mark.parametrize("policy", ["count", "gpt3", "datatrove", "dolma", "simple"])
def test_one_two_and_four_threads_find_the_same(
    policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package_descriptions: list[str]
) -> None:
    """Real text; the items are pieces of some of it."""
    rows = [
        {"question": max(text.splitlines(), key=len), "answer": text[300:900]}
        for text in package_descriptions[:40:2]
    ]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    section = config(tmp_path, benchmark={"id_field": None, "question": ("question",), "answer": ("answer",)},
                     ngrams=NGrams(policy=policy))  # fmt: skip
    built = cascade.build(section)
    texts = pl.Series([*package_descriptions[:60], None])
    found = []
    for count in (1, 2, 4):
        monkeypatch.setattr(threads.pl, "thread_pool_size", lambda count=count: count)
        monkeypatch.setattr("curation_dagster.decontaminate.index.RUN_BYTES", 1 << 14)
        found.append(built.find(texts))
    assert set(found[0]["method"]) == {"exact", "ngrams"}
    assert found[0].equals(found[1])
    assert found[0].equals(found[2])
