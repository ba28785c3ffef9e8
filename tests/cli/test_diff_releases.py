"""`curate diff` of two manifests: what ships, against a join of the exported files by hand."""

import json
from collections import Counter
from pathlib import Path

import pytest
from conftest_graph import curate as run

from curation_dagster import table
from curation_dagster.lineage import ALL


def shipped(lineage) -> tuple[dict[str, set[str]], Counter]:
    """Read what ships: texts of fragments by document, and rows by document."""
    texts: dict[str, set[tuple[int, str]]] = {}
    rows: Counter = Counter()
    refs = [lineage.current("exported", key) for key in lineage.partitions("exported")]
    with lineage.store.fetch(*refs) as paths:
        for path in paths:
            for doc, fragment, text in table.read(path, ["doc_id", "fragment", "text"]).iter_rows():
                texts.setdefault(doc, set()).add((fragment, text))
                rows[doc] += 1
    return texts, rows


def manifest(lineage) -> str:
    return lineage.store.path(lineage.current("release", ALL).name)


@pytest.fixture
def two(copied, instance):
    """A release, then one of the same recipe with other rules and without masking; both as lineages."""
    done, first = run(copied, instance)
    assert not done.failures
    text = copied.read_text("utf-8")
    for was, now in (
        ("min_words = 50", "min_words = 3"),
        ("tokens = 30000", "tokens = 45000"),
        ('edit = "mask"', 'edit = "mask"\nemail = false'),
    ):
        assert was in text
        text = text.replace(was, now)
    copied.write_text(text, "utf-8")
    done, second = run(copied, instance)
    assert not done.failures
    return first, second


def test_the_differences_are_those_of_a_join_by_hand(two, curate) -> None:
    first, second = two
    told = curate("diff", manifest(first), manifest(second), "--json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    (texts, rows), (texts_b, rows_b) = shipped(first), shipped(second)
    both = texts.keys() & texts_b.keys()
    wanted = Counter(
        gone=len(texts.keys() - texts_b.keys()),
        new=len(texts_b.keys() - texts.keys()),
        changed=sum(texts[d] != texts_b[d] for d in both),
        copies=sum(texts[d] == texts_b[d] and rows[d] != rows_b[d] for d in both),
        same=sum(texts[d] == texts_b[d] and rows[d] == rows_b[d] for d in both),
    )
    counted = Counter()
    for row in found["documents"]:
        counted[row["kind"]] += row["documents"]
    assert +counted == +wanted
    assert wanted["new"] > 0
    assert wanted["copies"] > 0
    assert wanted["changed"] > 0
    rules = {row["rule"]: (row["a"], row["b"]) for row in found["rejected"]}
    before, after = rules["clean.gopher_min_words"]
    assert before > after
    for sample in found["samples"]["new"]:
        assert sample["doc_id"] in texts_b.keys() - texts.keys()
    shown = curate("diff", manifest(first), manifest(second))
    assert f"clean.gopher_min_words: rejected {before} -> {after}" in shown.stdout


def test_a_release_does_not_differ_from_itself(two, curate) -> None:
    [_, second] = two
    published = second.store.path(f"releases/{second.recipe.name}/manifest.json")
    found = json.loads(curate("diff", published, manifest(second), "--json").stdout)
    assert {row["kind"] for row in found["documents"]} == {"same"}
    assert found["samples"] == {}


def test_what_is_no_release(curated, curate, tmp_path) -> None:
    path, _, lineage = curated
    name = manifest(lineage)
    assert "two manifests" in curate("diff", path, name).stderr
    lone = tmp_path / "manifest.json"
    lone.write_text("{}")
    refused = curate("diff", lone, name)
    assert refused.exit_code == 2
    assert "not a manifest below ROOT" in refused.stderr
    missing = curate("diff", name.replace("all.", "every."), name)
    assert missing.exit_code == 1


def test_a_file_of_a_release_that_is_gone(two, curate) -> None:
    first, second = two
    lost = first.current("exported", first.partitions("exported")[0])
    Path(first.store.path(lost.name)).unlink()
    told = curate("diff", manifest(first), manifest(second))
    assert told.exit_code == 1
    assert lost.name in told.stderr
