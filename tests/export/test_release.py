"""The funnel's laws, the manifest and what people read of it."""

from __future__ import annotations

import copy
import itertools
import json

import polars as pl
import pytest
import zstandard

from curation_dagster import funnel as funnel_
from curation_dagster.errors import IntegrityError
from curation_dagster.export.card import card, funnel_table
from curation_dagster.export.release import publish
from curation_dagster.funnel import FUNNEL_STAGES, funnel, top_reasons
from curation_dagster.recipe_file import digest, sha256
from curation_dagster.store import Store


@pytest.fixture(scope="module")
def stages(done) -> list[dict]:
    return funnel(done.lineage)["stages"]


@pytest.fixture(scope="module")
def manifest(done) -> dict:
    ref = done.lineage.current("release", "all")
    return json.loads(done.store.read(ref.name))


def test_rows_in_are_kept_and_rejected(stages) -> None:
    assert [s["stage"] for s in stages] == list(FUNNEL_STAGES)
    for stage in stages:
        assert stage["rows_in"] == stage["kept"] + sum(stage["rejected"].values()), stage["stage"]
    for before, after in itertools.pairwise(stages):
        assert before["kept"] == after["rows_in"]


def test_every_planted_reason_is_counted(stages) -> None:
    rejected = {rule: n for s in stages for rule, n in s["rejected"].items()}
    for rule, count in {
        "ingest.malformed": 3, "ingest.no_text": 3, "clean.gopher_min_words": 1,
        "dedup.exact": 2, "decontaminate.ngrams": 1,
    }.items():  # fmt: skip
        assert rejected.get(rule) == count, (rule, rejected)


def test_counts_are_those_of_the_tables(done, stages) -> None:
    for stage in stages[:-1]:
        rows = done.all_rows(stage["stage"])
        kept = rows.filter(pl.col("rejected_by").is_null())
        assert (stage["rows_in"], stage["kept"]) == (rows.height, kept.height)
        assert stage["bytes_kept"] == kept["text_bytes"].sum()
    rows = done.all_rows("exported")
    last = stages[-1]
    assert (last["kept"], last["copies"]) == (rows["doc_id"].n_unique(), rows.height)
    assert last["files"] == len(done.lineage.partitions("exported"))


def test_tokens_are_counted_from_scored_on_and_estimated_before(done, stages) -> None:
    by_name = {s["stage"]: s for s in stages}
    counted = {"scored", "mixed", "decontaminated", "exported"}
    assert {s["stage"] for s in stages if not s["tokens_estimated"]} == counted
    for name in counted:
        rows = done.all_rows(name)
        kept = (
            rows.filter(pl.col("rejected_by").is_null()) if "rejected_by" in rows.columns else rows
        )
        assert by_name[name]["tokens_kept"] == kept["token_count"].sum()
    ratio = by_name["scored"]["tokens_kept"] / by_name["scored"]["bytes_kept"]
    assert by_name["raw"]["tokens_kept"] == round(by_name["raw"]["bytes_kept"] * ratio)


class FakeLineage:
    """Footers by stage, for crafting what a funnel may meet; None is a partition not yet computed."""

    class Recipe:
        name = "fake"

    recipe = Recipe()

    def __init__(self, footers: dict[str, list[dict | None]]) -> None:
        self.footers = footers

    def partitions(self, stage: str) -> list[str]:
        return [f"{stage}-{i}" for i in range(len(self.footers.get(stage, [])))]

    def current(self, stage: str, partition: str) -> tuple[str, int] | None:
        index = int(partition.rsplit("-", 1)[1])
        return None if self.footers[stage][index] is None else (stage, index)

    def footer(self, ref: tuple[str, int]) -> dict:
        return self.footers[ref[0]][ref[1]]


def footer(rows: int, kept: int, **more: object) -> dict:
    rejected = {"x.rule": rows - kept} if rows > kept else {}
    return {"rows": rows, "kept": kept, "rejected": rejected, "bytes_kept": kept * 40} | more


def steady(**replaced: list[dict | None]) -> FakeLineage:
    counted = {"tokens_kept": 50}
    every = {
        "raw": [footer(12, 10)], "annotated": [footer(10, 10)], "cleaned": [footer(10, 7)],
        "deduped": [footer(7, 5)], "scored": [footer(5, 5, **counted)],
        "mixed": [footer(5, 5, **counted)], "decontaminated": [footer(5, 5, **counted)],
        "exported": [footer(9, 9, first_copies=5, tokens_kept=90)],
    }  # fmt: skip
    return FakeLineage(every | replaced)


def test_neighbours_that_agree() -> None:
    found = {s["stage"]: s for s in funnel(steady())["stages"]}
    assert found["exported"]["copies"] == 9
    assert found["raw"]["tokens_kept"] == 100
    assert all(s["partitions_missing"] == 0 for s in found.values())


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        pytest.param({"cleaned": [footer(9, 7)]}, "annotated kept 10 documents, cleaned received 9", id="lost"),
        pytest.param({"deduped": [footer(8, 5)]}, "cleaned kept 7 documents, deduped received 8", id="gained"),
        pytest.param(
            {"exported": [footer(9, 9, first_copies=4, tokens_kept=1)]},
            "decontaminated kept 5 documents, exported received 4", id="not shipped",
        ),
    ],
)  # fmt: skip
def test_neighbours_that_disagree(replaced, said) -> None:
    with pytest.raises(IntegrityError, match=f"funnel: {said}"):
        funnel(steady(**replaced))


@pytest.mark.parametrize(
    "replaced",
    [
        pytest.param({"cleaned": [footer(9, 7), None]}, id="a partition is missing"),
        pytest.param({"cleaned": [], "exported": []}, id="a stage has none"),
    ],
)
def test_incomplete_stages_are_said_and_not_compared(replaced) -> None:
    stages = {s["stage"]: s for s in funnel(steady(**replaced))["stages"]}
    assert stages["cleaned"]["partitions_missing"] == 1
    assert stages["raw"]["partitions_missing"] == 0


def test_an_empty_partition_says_nothing_of_tokens() -> None:
    """A table without rows has no sums in its footer."""
    empty = {"rows": 0, "kept": 0, "rejected": {}}
    stages = funnel(
        steady(
            scored=[footer(5, 5, tokens_kept=50), empty],
            exported=[footer(9, 9, first_copies=5, tokens_kept=90), empty],
        )
    )["stages"]
    found = {s["stage"]: s for s in stages}
    assert (found["scored"]["tokens_kept"], found["scored"]["tokens_estimated"]) == (50, False)
    assert (found["exported"]["tokens_kept"], found["exported"]["kept"]) == (90, 5)


def test_without_scored_nothing_can_be_estimated() -> None:
    late = ("scored", "mixed", "decontaminated", "exported")
    stages = funnel(steady(**{name: [None] for name in late}))["stages"]
    assert stages[0]["tokens_estimated"]
    assert stages[0]["tokens_kept"] is None


def test_top_reasons() -> None:
    stage = {"rejected": {"b": 2, "a": 2, "c": 9, "d": 1}}
    assert top_reasons(stage) == [("c", 9), ("a", 2), ("b", 2)]
    assert top_reasons({"rejected": {}}) == []


def test_manifest(done, manifest, stages) -> None:
    rows = done.all_rows("exported")
    assert manifest["rows"] == rows.height
    assert manifest["tokens"] == rows["token_count"].sum()
    assert manifest["recipe_digest"] == digest(done.recipe)
    assert manifest["funnel"] == stages
    assert manifest["audit"]["passed"]
    assert {r["source"]: r["documents"] for r in manifest["sources"]} == dict(
        rows.group_by("source").len().iter_rows()
    )
    assert {r["license"]: r["tokens"] for r in manifest["licenses"]} == dict(
        rows.group_by("license").agg(pl.col("token_count").sum()).iter_rows()
    )
    assert [f["partition"] for f in manifest["files"]] == done.lineage.partitions("exported")
    for file in manifest["files"]:
        (path,) = [r for r in done.store.refs("exported") if r.name == file["name"]]
        with done.store.fetch(path) as (local,):
            assert file["sha256"] == sha256(local)
            assert file["bytes"] == local.stat().st_size
    planned = {(m["phase"], m["domain"]): m["planned_tokens"] for m in manifest["mixture"]}
    shipped = rows.group_by("phase", "source").agg(pl.col("token_count").sum()).rows()
    assert {(p, s): t for p, s, t in shipped} == {k: v for k, v in planned.items() if v}


def test_a_release_is_rendered(done, manifest, tmp_path) -> None:
    names = publish(done.store, manifest, jsonl=True)
    folder = f"{done.recipe.root}/releases/tiny"
    assert sorted(n.removeprefix("releases/tiny/") for n in names) == sorted(
        ["README.md", "SHA256SUMS", "funnel.json", "manifest.json"]
        + [f"jsonl/{p}.jsonl.zst" for p in done.lineage.partitions("exported")]
    )
    for file in manifest["files"]:
        packed = (tmp_path / folder / f"jsonl/{file['partition']}.jsonl.zst").read_bytes()
        text = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        lines = [json.loads(line) for line in text.splitlines()]
        exported = done.read("exported", file["partition"])
        assert [line["text"] for line in lines] == exported["text"].to_list()
        assert [line["doc_id"] for line in lines] == exported["doc_id"].to_list()


def test_a_release_that_failed_its_audit_is_not_published(manifest, tmp_path) -> None:
    failed = copy.deepcopy(manifest)
    failed["audit"]["passed"] = False
    assert publish(Store(str(tmp_path)), failed, jsonl=False) == []
    assert not list(tmp_path.rglob("README.md"))


def test_the_card_says_what_the_manifest_says(manifest) -> None:
    text = card(manifest)
    assert text.startswith("# tiny\n\nA tiny corpus for the tests.\n")
    assert f"{manifest['rows']:,} training documents, {manifest['tokens']:,} tokens" in text
    assert f"`{manifest['recipe_digest']}`" in text
    for file in manifest["files"]:
        assert file["sha256"] in text
    for rule in ("dedup.exact 2", "ingest.malformed 3", "decontaminate.ngrams 1"):
        assert rule in text
    assert "found 0 exact duplicates and 0 documents with benchmark n-grams" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_cells_do_not_break_the_table() -> None:
    stage = {
        "stage": "a|b\nc", "rows_in": 1234567, "kept": 0, "tokens_kept": None, "rejected": {"x": 5000},
    }  # fmt: skip
    assert funnel_table([stage]).splitlines()[-1] == "| a\\|b c | 1,234,567 | 0 | - | x 5,000 |"


def test_the_stages_of_the_funnel_are_the_ones_that_judge() -> None:
    from curation_dagster.lineage import BY_NAME

    chain = [name for name in FUNNEL_STAGES if name != "exported"]
    assert [BY_NAME[name].follows for name in chain[1:]] == chain[:-1]
    assert set(funnel_.FUNNEL_STAGES) < set(BY_NAME)
