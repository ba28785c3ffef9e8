"""`curate diff`: who moved, from which verdict to which, against a join by hand."""

import json
from collections import Counter

import polars as pl
import pytest
from conftest_graph import curate as run

from curation_dagster import table
from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import Store

STAGES = ("raw", "cleaned", "deduped", "mixed", "decontaminated")


def fates(lineage) -> dict[str, str]:
    """Read every document's last verdict, document by document."""
    found: dict[str, str] = {}
    for stage in STAGES:
        for key in lineage.partitions(stage):
            with lineage.store.fetch(lineage.current(stage, key)) as (path,):
                rows = table.read(path, ["doc_id", "rejected_by"])
            for doc_id, reason in rows.iter_rows():
                found[doc_id] = reason or "kept"
    return found


@pytest.fixture
def two(copied, instance):
    """Two recipes over one root: the second takes shorter documents and has no near duplicates."""
    other = copied.with_name("lenient.toml")
    text = copied.read_text().replace("min_words = 50", "min_words = 5")
    other.write_text(text.replace('quality_key = "gopher_word_count"', "near = false"))
    done, lenient = run(other, instance)
    assert not done.failures
    return copied, other, lenient


def test_the_moves_are_those_of_a_join_by_hand(two, curate):
    first, second, lenient = two
    told = json.loads(curate("diff", first, second, "--json", "-n", "1").stdout)
    before = fates(Lineage(load(first), Store(load(first).root)))
    after = fates(lenient)
    assert before.keys() == after.keys()
    wanted = Counter((before[d], after[d]) for d in before if before[d] != after[d])
    assert {(m["from"], m["to"]): m["documents"] for m in told["moved"]} == wanted
    assert len(wanted) > 1
    assert told["same"]["documents"] == len(before) - sum(wanted.values())
    assert told["as_of"] == "decontaminated"
    for move in told["moved"]:
        [sample] = move["samples"]
        assert (before[sample["doc_id"]], after[sample["doc_id"]]) == (move["from"], move["to"])
    shown = curate("diff", first, second)
    assert shown.exit_code == 0
    assert "judged alike" in shown.stdout
    assert "lenient ships" in shown.stdout


def test_a_recipe_does_not_differ_from_itself(curated, curate):
    told = json.loads(curate("diff", curated[0], curated[0], "--json").stdout)
    assert told["moved"] == []
    assert told["same"]["documents"] == len(fates(curated[2]))


def test_as_far_as_both_were_run(two, curate):
    first, second, lenient = two
    for key in lenient.partitions("deduped"):
        ref = lenient.current("deduped", key)
        (second.parent / "store" / ref.name).unlink()
    told = json.loads(curate("diff", first, second, "--json").stdout)
    assert told["as_of"] == "cleaned"
    assert {m["from"] for m in told["moved"]} == {"clean.gopher_min_words"}
    assert pl.Series([m["documents"] for m in told["moved"]]).min() > 0


def test_nothing_to_compare(fresh, curate):
    found = curate("diff", fresh, fresh)
    assert found.exit_code == 1
    assert "run them first" in found.stderr
