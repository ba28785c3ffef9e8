"""Judges of personal data, urls and words: from a recipe's file to a verdict, and what each is made from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from curation_dagster import plan, table
from curation_dagster.annotate.stage import annotate, annotate_shard, signal_columns
from curation_dagster.clean.rules import rules_of
from curation_dagster.clean.stage import clean_shard
from curation_dagster.errors import RecipeError
from curation_dagster.ingest.read import ingest_shard
from curation_dagster.job import plan_job, run
from curation_dagster.lineage import Lineage, sections
from curation_dagster.recipe_edits import Mask
from curation_dagster.recipe_file import load
from curation_dagster.recipe_judges import Pii
from curation_dagster.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from curation_dagster.recipe import Recipe

RECIPE = """root = "store"

[[sources]]
name = "web"
paths = ["web.jsonl"]

[[steps]]
judge = "pii"
max_count = 2
max_key_count = 0

[[steps]]
edit = "mask"
phone = true

[[steps]]
judge = "url_list"
files = [{ path = "urls.txt" }]

[[steps]]
judge = "bad_words"
files = [{ path = "words.txt" }]

[[mix.phases]]
name = "main"
tokens = 1000
weights = { web = 1.0 }
"""
KEY = "ghp_" + "a1B2" * 9
PAGES = [
    ("fine, bob@x.org and 415-736-2000", "https://a.org/1", None),
    ("a@x.org b@x.org c@x.org", "https://a.org/2", "clean.pii_max_count"),
    (f"here is {KEY}", "https://a.org/3", "clean.pii_max_key_count"),
    ("fine", "https://www.listed.net/4", "clean.url_list"),
    ("fine", None, None),
    ("darn fine", "https://a.org/6", "clean.bad_words_max_count"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    lines = [json.dumps({"text": text, "url": url}) + "\n" for text, url, _ in PAGES]
    (tmp_path / "web.jsonl").write_text("".join(lines))
    (tmp_path / "urls.txt").write_text("listed.net\n")
    (tmp_path / "words.txt").write_text("darn\n")
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


def made(recipe: Recipe) -> dict[str, pl.DataFrame]:
    """Run the first three stages; return their tables."""
    store = Store(recipe.root)
    plan.plan(recipe, store)
    frames = {}
    for stage, work in (
        ("raw", ingest_shard),
        ("annotated", annotate_shard),
        ("cleaned", clean_shard),
    ):
        run(plan_job(Lineage(recipe, store), stage, "web-00000"), work)
        ref = Lineage(recipe, store).current(stage, "web-00000")
        assert ref is not None
        with store.fetch(ref) as (file,):
            frames[stage] = table.read(file)
    return frames


def test_verdicts(path: Path) -> None:
    frames = made(load(path))
    assert frames["cleaned"]["rejected_by"].to_list() == [why for _, _, why in PAGES]
    signals = frames["annotated"]
    assert signals["pii_email_count"].to_list() == [1, 3, 0, 0, 0, 0], (
        "as the text is before masking"
    )
    assert signals["masked_phone_count"].to_list() == [1, 0, 0, 0, 0, 0]
    assert signals["url_list_category"].to_list() == ["", "", "", "listed", None, ""]
    assert signals["text"].is_not_null().to_list() == [True, True, False, False, False, False]
    assert KEY not in "".join(signals["text"].drop_nulls())


def test_every_signal_is_named_and_every_rule_has_its_signal(path: Path) -> None:
    steps = load(path).steps
    frame = annotate(pl.Series(["x", None]), steps)
    assert {n: t for n, t in frame.schema.items() if n != "text"} == signal_columns(steps)
    assert {c for r in rules_of(steps).values() for c in r.meta.root_names()} <= set(frame.columns)


def test_what_annotated_and_cleaned_are_made_from(path: Path) -> None:
    def of(stage: str) -> object:
        return sections(load(path), stage, "web-00000")

    def change(file: Path, old: str, new: str) -> None:
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    before = of("annotated"), of("cleaned")
    change(path, "max_count = 2", "max_count = 3")
    assert of("annotated") == before[0]
    assert of("cleaned") != before[1]
    for file, old, new in (
        (path.parent / "words.txt", "darn", "heck"),
        (path.parent / "urls.txt", "listed.net", "listed.org"),
        (path, '"bad_words"', '"bad_words"\nlanguages = ["en"]'),
        (path, '"bad_words"', '"bad_words"\nallow = []'),
        (path, "phone = true", "phone = false"),
    ):
        earlier = of("annotated")
        change(file, old, new)
        assert of("annotated") != earlier, new
    earlier = of("annotated")
    change(path, '"url_list"', '"url_list"\nkeep_unknown = false\ncategories = ["x"]')
    assert of("annotated") == earlier


def test_a_list_that_is_not_there_is_refused(path: Path) -> None:
    (path.parent / "words.txt").unlink()
    with pytest.raises(RecipeError, match=r"words\.txt"):
        load(path)


def test_defaults_mask_what_they_always_did() -> None:
    assert Mask(edit="mask").kinds == ("email", "ip")
    assert rules_of([Pii(judge="pii")]) == {}


@pytest.mark.parametrize(("n", "kept"), [(4, True), (5, True), (6, False), (None, False)])
def test_thresholds(n: int | None, kept: bool) -> None:
    fields = [f for f in Pii.model_fields if f.startswith("max_")]
    rules = rules_of([Pii(judge="pii", **dict.fromkeys(fields, 5))])
    assert [f"pii_{f}" for f in fields] == list(rules)
    for name, rule in rules.items():
        column = pl.Series([n], dtype=pl.UInt32)
        docs = pl.DataFrame({name.replace("pii_max", "pii"): column})
        assert docs.select(rule.fill_null(value=False)).item() is kept
