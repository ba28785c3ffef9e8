"""Probes: what is planted, what a step that is not what it should be makes of it, and what is said then."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster import probed
from curation_dagster.decontaminate import cascade, probes
from curation_dagster.decontaminate.found import nothing
from curation_dagster.decontaminate.neutral import NEUTRAL
from curation_dagster.recipe_decontaminate import Benchmark, Decontaminate
from curation_dagster.section import File
from curation_dagster.words import terms_oracle

if TYPE_CHECKING:
    from pathlib import Path

QUESTIONS = [
    f"A {who} packs {n} {what} into crates of six, and loses a dozen of them on the road to the {where}; if every "
    f"crate sells for {n + 3} crowns, how many crowns does the {who} bring home after paying the driver?"
    for n, (who, what, where) in enumerate(
        [("cooper", "barrels", "port"), ("grocer", "melons", "fair"), ("potter", "jugs", "abbey"),
         ("weaver", "shawls", "castle"), ("farmer", "pumpkins", "town"), ("printer", "almanacs", "school")], 31,
    )
]  # fmt: skip


def config(folder: Path, **more: object) -> Decontaminate:
    path = folder / "b.jsonl"
    lines = [json.dumps({"id": i, "question": q}) for i, q in enumerate([*QUESTIONS, "Too short?"])]
    path.write_text("\n".join(lines))
    benchmark = Benchmark(name="sales", file=File(path=path), id_field="id")
    return Decontaminate(**{"steps": ("ngrams",), "benchmarks": (benchmark,)} | more)


@dataclass(frozen=True)
class Step:
    """A step that takes for hits all that `takes` says."""

    items: pl.DataFrame
    takes: object

    @property
    def detectable(self) -> pl.DataFrame:
        return self.items.filter(pl.col("text").str.len_bytes() > 50).select(
            "benchmark", "item", "part"
        )

    def find(self, texts: pl.Series) -> pl.DataFrame:
        rows = [
            {"doc": i, "benchmark": "sales", "item": "0", "part": "question", "method": "rare_terms", "score": 1.0,
             "start": 0, "end": len(text.encode())}
            for i, text in enumerate(texts) if self.takes(text)
        ]  # fmt: skip
        return pl.concat([nothing(), pl.DataFrame(rows, schema=nothing().schema)])


def failed(folder: Path, takes: object = None, **more: object) -> list[str]:
    """Probe the n-grams, or a cascade of them and of a step `rare_terms` that takes so; return what failed."""
    asked = config(folder, **more)
    searched = cascade.build(asked)
    if takes is not None:
        asked = config(folder, steps=("ngrams", "rare_terms"), **more)
        searched = replace(
            searched, finders={**searched.finders, "rare_terms": Step(searched.items, takes)}
        )
    return probed.failures(probes.probe(searched, asked), asked)


def test_ngrams_find_what_is_copied_and_nothing_else(tmp_path):
    asked = config(tmp_path)
    told = probes.probe(cascade.build(asked), asked)
    rows = {row["kind"]: row for row in told["planted"] if row["step"] == "ngrams"}
    assert [(rows[k]["planted"], rows[k]["found"]) for k in probed.COPIED] == [(6, 6)] * 2
    assert rows["edited"]["found"] == 0
    assert told["items"] == {"sales": 7}
    assert [row["hit"] for row in told["clean"]] == [0, 0]
    assert probed.failures(told, asked) == []


@pytest.mark.parametrize(
    ("takes", "says"),
    [
        pytest.param(lambda _: True, ["12 of 12 clean texts taken for contaminated"], id="threshold 0"),
        pytest.param(lambda _: False, ["rare_terms finds none of 6 verbatim"], id="threshold above everything"),
        pytest.param(lambda text: any(q in text for q in QUESTIONS),
                     ["rare_terms finds 0 of 6 edited", "rare_terms finds 0 of 6 paraphrased"], id="threshold 1"),
        pytest.param(lambda text: text not in NEUTRAL, [], id="as it should be"),
    ],
)  # fmt: skip
def test_a_step_of_a_wrong_threshold_is_named(tmp_path, takes, says):
    found = failed(tmp_path, takes)
    assert bool(found) is bool(says)
    for reason in says:
        assert any(reason in line for line in found), found
    assert all(line.startswith("sales: ") for line in found)


def test_a_benchmark_of_short_items_and_a_blind_step_fail(tmp_path):
    asked = config(tmp_path)
    for count, says in ((7, []), (8, ["ngrams: can find none of 8 items"])):
        lines = [json.dumps({"id": i, "question": f"What is {i}?"}) for i in range(count)]
        (tmp_path / "b.jsonl").write_text("\n".join(lines))
        found = probed.failures(probes.probe(cascade.build(asked), asked), asked)
        assert found == [f"sales: none of its {count} items is long enough to be found", *says]


def test_a_benchmark_or_step_that_was_not_probed_fails(tmp_path):
    asked = config(tmp_path)
    told = probes.probe(cascade.build(asked), asked)
    other = asked.benchmarks[0].model_copy(update={"name": "other"})
    two = asked.model_copy(update={"benchmarks": (*asked.benchmarks, other)})
    assert probed.failures(told, two) == ["other: holds no item"]
    steps = asked.model_copy(update={"steps": ("exact", "ngrams")})
    assert "probed were the steps" in probed.failures(told, steps)[0]


def test_at_the_gates(tmp_path):
    asked = config(tmp_path)
    row = {"step": "ngrams", "benchmark": "sales", "kind": "verbatim", "planted": 10, "found": 9}
    told = {"items": {"sales": 10}, "steps": ["ngrams"], "planted": [row], "clean": []}
    assert probed.failures(told, asked) == []
    [reason] = probed.failures(told | {"planted": [row | {"found": 8}]}, asked)
    assert reason == "sales: ngrams finds 8 of 10 verbatim, at least 90% required"
    told["clean"] = [{"step": "cascade", "texts": 12, "hit": 1, "benchmarks": ["sales"]}]
    assert len(probed.failures(told, asked)) == 1
    lenient = asked.model_copy(
        update={"probes": asked.probes.model_copy(update={"max_clean_share": 0.1})}
    )
    assert probed.failures(told, lenient) == []


def test_no_benchmarks_no_probes(tmp_path):
    asked = config(tmp_path, benchmarks=())
    told = probes.probe(cascade.build(asked), asked)
    assert told["planted"] == []
    assert probed.failures(told, asked) == []


def test_what_is_planted_lies_where_it_is_said_to(tmp_path):
    asked = config(tmp_path)
    searched = cascade.build(asked)
    sample = probes._sample(searched, asked)
    planted = probes.plant(sample)
    assert planted.equals(probes.plant(sample)), "the same every time"
    assert planted["kind"].to_list() == list(probed.KINDS) * 6
    for row in planted.iter_rows(named=True):
        written = row["text"].encode()[row["start"] : row["end"]].decode()
        around = (
            row["text"].encode()[: row["start"]].decode(),
            row["text"].encode()[row["end"] :].decode(),
        )
        assert all(len(terms_oracle(side)) > 10 for side in around)
        question = QUESTIONS[int(row["item"])]
        same = terms_oracle(written) == terms_oracle(question)
        assert same is (row["kind"] in probed.COPIED)
        assert (written == question) is (row["kind"] == "verbatim")


@given(st.text(st.sampled_from("aBc d,e. 7\n1中文。?é")))
def test_writers_take_any_text(text):
    for write in probes._WRITERS.values():
        assert write(text, False) == write(text, False)
        write(text, True)
    assert terms_oracle(probes.restyled(text)) == terms_oracle(text)
    numbers = [t for t in terms_oracle(text) if t.isdigit()]
    if not numbers:
        assert sorted(terms_oracle(probes.paraphrased(text))) == sorted(terms_oracle(text))


def test_neutral_texts_are_several_and_have_something_in_common_with_questions():
    assert len(set(NEUTRAL)) == len(NEUTRAL) >= 10
    common = {"how", "many", "number", "hours", "price", "answer", "return", "sum", "function"}
    assert common <= {term for text in NEUTRAL for term in terms_oracle(text)}
