"""`curate retire`: a source leaves every corpus over a root, and comes back."""

import json

import pytest
from conftest_graph import curate as graph
from conftest_graph import outputs

from curation_dagster import table
from curation_dagster.lineage import ALL


@pytest.fixture
def recipe(copied):
    """A copied corpus whose classifier is trained on one source."""
    text = copied.read_text("utf-8").replace("beta-00000", "alpha-00001")
    copied.write_text(text, "utf-8")
    return copied


def without_beta(text: str) -> str:
    begin, end = text.index('[[sources]]\nname = "beta"'), text.index('[[steps]]\nedit = "norm')
    return (text[:begin] + text[end:]).replace(", beta = 0.4", "")


def test_a_retired_source_is_as_if_never_named(recipe, instance, curate) -> None:
    _, before = graph(recipe, instance)
    doc_id = first_document(before, "beta-00000")
    told = curate("retire", recipe, "beta", "--because", "licence withdrawn", "--by", "ada")
    assert told.exit_code == 0, told.output
    assert "2 shards" in told.stdout

    done, after = graph(recipe, instance)
    assert not done.failures
    assert list(after.shards) == ["alpha-00000", "alpha-00001"]
    assert not {"raw", "annotated", "cleaned", "fingerprinted"} & set(done.computed)
    with after.store.fetch(after.current("mixture", ALL)) as (path,):
        rows = table.read(path)
    assert dict(zip(rows["domain"], rows["reason"], strict=True))["beta"] == "no supply"
    shown = curate("explain", doc_id, "--recipe", recipe)
    assert shown.exit_code == 2
    assert "source beta is retired: licence withdrawn (ada, 20" in shown.stderr
    status = json.loads(curate("status", recipe, "--json").stdout)
    assert status["retired"]["beta"]["because"] == "licence withdrawn"

    alone = recipe.with_name("alone.toml")
    alone.write_text(without_beta(recipe.read_text("utf-8")), "utf-8")
    _, wanted = graph(alone, instance)
    before_mixing = ("cleaned", "fingerprinted", "duplicates", "deduped", "scored", "scanned")
    assert outputs(after, *before_mixing) == outputs(wanted, *before_mixing)

    assert curate("retire", recipe, "beta", "--undo").exit_code == 0
    again, back = graph(recipe, instance)
    assert sum(again.computed.values()) == 0
    assert outputs(back) == outputs(before)


def test_new_files_of_a_retired_source_wait(recipe, curate) -> None:
    curate("retire", recipe, "beta", "--because", "spam")
    late = recipe.parent / "corpus" / "beta-9.jsonl.gz"
    late.write_bytes((recipe.parent / "corpus" / "beta-0.jsonl.gz").read_bytes())
    assert "0 new shards" in curate("plan", recipe).stdout
    curate("retire", recipe, "beta", "--undo")
    assert "beta-00002  generation 1" in curate("plan", recipe).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gamma", "--because", "x"], "no such source: gamma"),
        (["beta"], "say why"),
        (["alpha", "--because", "x"], "is trained on alpha-00000, alpha-00001"),
        (["beta", "--undo"], "beta is not retired"),
    ],
)
def test_what_cannot_be_retired(recipe, curate, arguments, said) -> None:
    told = curate("retire", recipe, *arguments)
    assert told.exit_code == 2
    assert said in told.stderr
    assert "nothing is retired" in curate("retire", recipe).stdout


def test_the_last_source_stays(recipe, curate) -> None:
    text = recipe.read_text("utf-8")
    begin, end = text.index("[score.classifier]"), text.index("[decontaminate]")
    recipe.write_text(text[:begin] + text[end:], "utf-8")
    assert curate("retire", recipe, "beta", "--because", "x").exit_code == 0
    assert "source beta is retired" in curate("retire", recipe).stdout
    told = curate("retire", recipe, "alpha", "--because", "x")
    assert told.exit_code == 2
    assert "the only source" in told.stderr


def first_document(lineage, shard) -> str:
    with lineage.store.fetch(lineage.current("raw", shard)) as (path,):
        return str(table.read(path, ["doc_id"])["doc_id"][0])
