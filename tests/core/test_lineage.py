"""What is current: which change of the recipe or of the data reaches which stages; run by the real stages."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from curation_dagster import lineage as lineage_
from curation_dagster import plan, table
from curation_dagster.annotate.stage import annotate_shard
from curation_dagster.clean.stage import clean_shard
from curation_dagster.decontaminate.stage import decide_shard, scan_shard
from curation_dagster.dedup.stage import dedup_shard, find_duplicates, fingerprint_shard
from curation_dagster.errors import IntegrityError, StorageError
from curation_dagster.ingest.read import ingest_shard
from curation_dagster.job import plan_job, reuse, run
from curation_dagster.lineage import ALL, BY_NAME, STAGES, Lineage, parents_of, sections, stages
from curation_dagster.mix.stage import mix_shard, plan_mixture
from curation_dagster.recipe import Recipe, Score
from curation_dagster.recipe_file import load, short_hash
from curation_dagster.score import importance
from curation_dagster.score.stage import score_shard, train_classifier
from curation_dagster.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

WORK: dict[str, Callable[..., dict[str, Any]]] = {
    "raw": ingest_shard,
    "annotated": annotate_shard,
    "cleaned": clean_shard,
    "fingerprinted": fingerprint_shard,
    "duplicates": find_duplicates,
    "deduped": dedup_shard,
    "classifier": train_classifier,
    "scored": score_shard,
    "scanned": scan_shard,
    "mixture": plan_mixture,
    "mixed": mix_shard,
    "decontaminated": decide_shard,
}
QUESTION = "how many of the nine green kettles did the tired ferryman sell before noon on friday"
RECIPE = """root = "store"
workers = 1

[[sources]]
name = "web"
paths = ["web-*.jsonl"]
shard_bytes = 1

[[sources]]
name = "books"
paths = ["books.jsonl"]

[[steps]]
edit = "normalize"

[[steps]]
judge = "gopher_quality"
min_words = 20

[[steps]]
judge = "fineweb"
short_line_chars = 30
min_terminal_line_ratio = "off"
max_short_line_ratio = 1
max_dup_line_char_ratio = "off"
max_newline_word_ratio = "off"

[score.classifier]
good = { shards = ["books-00000"] }
ordinary = { shards = ["web-00000"] }
dim = 2
epochs = 1
buckets = 100
held_out_share = 0.5

[[decontaminate.benchmarks]]
name = "quiz"
file = { path = "quiz.jsonl" }
id_field = "id"

[[mix.phases]]
name = "main"
tokens = 3000
weights = { web = 0.5, books = 0.5 }
"""
SIGNAL = """[[score.signals]]
kind = "importance"
name = "lamps"
model = { path = "weights.npz" }

"""


def prose(n: int) -> str:
    """Write a document of its own: 60 words, stop words among them."""
    return " ".join(
        f"the {w}{n} and a {w}{n % 7} of {w}" for w in ("lamp", "road", "sea", "oak", "day", "hat")
    )


def write_corpus(folder: Path) -> Path:
    """Write three files of ten documents: prose, a fragment, a copy across shards, a quiz question."""
    for f, name in enumerate(("web-0", "web-1", "books")):
        texts = [prose(100 * f + i) for i in range(8)]
        texts += ["too short", f"{prose(999)} {QUESTION}" if f else prose(100 * 2)]
        lines = [json.dumps({"text": t, "url": f"http://{name}/{i}"}) for i, t in enumerate(texts)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "quiz.jsonl").write_text(json.dumps({"id": "q1", "question": QUESTION}) + "\n")
    sides = (
        importance.tally(n, [pl.Series([t])], 50) for n, t in (("a", "the lamp1"), ("b", "oak"))
    )
    importance.save(importance.Model(*sides), folder / "weights.npz")
    path = folder / "small.toml"
    path.write_text(RECIPE)
    return path


def run_stage(lineage: Lineage, stage: str) -> dict[str, bool]:
    """Make every partition of a stage current; return which were computed."""
    computed = {}
    for partition in lineage.partitions(stage):
        job = plan_job(lineage, stage, partition)
        receipt = reuse(lineage, job) if job.state == "current" else run(job, WORK[stage])
        computed[partition] = receipt.computed
    return computed


def run_all(recipe: Recipe) -> dict[str, dict[str, bool]]:
    """Run the stages up to `decontaminated`; a new look at the root for each, as in Dagster's steps."""
    store = Store(recipe.root)
    plan.plan(recipe, store)
    names = [s.name for s in stages(recipe) if s.name in WORK]
    return {name: run_stage(Lineage(recipe, store), name) for name in names}


def inputs(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """Return the INPUT of every partition of every stage that can be asked."""
    lineage = Lineage(recipe, Store(recipe.root))
    return {
        s.name: tuple(short_hash(lineage.made_from(s.name, p)) for p in lineage.partitions(s.name))
        for s in stages(recipe)
        if s.name in WORK or s.name == "exported"
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the small recipe once; tests copy its folder."""
    path = write_corpus(tmp_path_factory.mktemp("corpus"))
    computed = run_all(load(path))
    assert all(all(each.values()) for each in computed.values())
    return path


@pytest.fixture
def path(finished: Path, tmp_path: Path) -> Path:
    """Give a copy of the finished run, in the place it was planned in: inputs are found by their url."""
    shutil.copytree(finished.parent / "store", tmp_path / "store")
    text = finished.read_text().replace('"store"', f'"{tmp_path / "store"}"')
    copy = finished.parent / f"{tmp_path.name.replace('_', '-').lower()}.toml"
    copy.write_text('name = "small"\n' + text)
    return copy


def change(path: Path, old: str, new: str) -> Recipe:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return load(path)


LATER = {"exported"}
CHANGES = [
    pytest.param("workers = 1", "workers = 2", set(), None, id="workers"),
    pytest.param("workers = 1", 'engine = "ray"', set(), None, id="engine"),
    pytest.param("[score.cl", "[gates]\nmin_retention = 0.5\n[score.cl", set(), None, id="gates"),
    pytest.param("shard_bytes = 1\n", "shard_bytes = 9\n", set(), None, id="shard_bytes"),
    pytest.param(
        "min_words = 20",
        "min_words = 21",
        {"cleaned"},
        None,
        id="a threshold nobody notices",
    ),
    pytest.param(
        "min_words = 20",
        "min_words = 1",
        {"cleaned", "fingerprinted"},
        {"raw", "annotated"},
        id="a threshold",
    ),
    pytest.param(
        "min_words = 20",
        'min_words = "off"',
        {"cleaned", "fingerprinted"},
        {"raw", "annotated"},
        id="a threshold off",
    ),
    pytest.param(
        "max_short_line_ratio = 1",
        "max_short_line_ratio = 0.9",
        {"cleaned"},
        {"raw", "annotated"},
        id="a threshold of another judge",
    ),
    pytest.param(
        "short_line_chars = 30",
        "short_line_chars = 5",
        {"annotated", "cleaned"},
        {"raw"},
        id="how a signal is measured",
    ),
    pytest.param(
        "min_words = 20",
        'min_words = 20\nstop_words = ["the", "and", "of"]',
        {"annotated", "cleaned"},
        {"raw"},
        id="which words are counted",
    ),
    pytest.param(
        '[[steps]]\nedit = "normalize"\n\n',
        "",
        {"annotated", "cleaned"},
        None,
        id="an edit that changed nothing",
    ),
    pytest.param(
        "[score.cl",
        "[dedup]\nmin_similarity = 0.6\n[score.cl",
        {"duplicates"},
        None,
        id="min_similarity nobody notices",
    ),
    pytest.param(
        "[score.cl",
        "[dedup]\nmax_removed_share = 0.5\nmax_removed = { web = 0.1 }\n[score.cl",
        set(),
        None,
        id="bands of duplicates",
    ),
    pytest.param(
        "[score.cl",
        "[dedup]\nremove = false\n[score.cl",
        {"deduped"},
        {"raw", "annotated", "cleaned", "fingerprinted", "duplicates"},
        id="near duplicates stay",
    ),
    pytest.param(
        "[score.cl",
        "[dedup]\nexact = false\nnear = false\n[score.cl",
        {"fingerprinted", "duplicates", "deduped"},
        {"raw", "annotated", "cleaned"},
        id="no dedup",
    ),
    pytest.param(
        "[score.cl",
        "[dedup]\nngram = 4\n[score.cl",
        {"fingerprinted", "duplicates"},
        {"raw", "annotated", "cleaned"},
        id="shingles",
    ),
    pytest.param(
        "[score.cl",
        '[score]\ntokenizer = "cl100k_base"\n[score.cl',
        set(),
        None,
        id="a default written out",
    ),
    pytest.param(
        "epochs = 1",
        "epochs = 2",
        {"classifier", "scored", "mixture", *LATER},
        {"raw", "annotated", "cleaned", "fingerprinted", "duplicates", "deduped", "scanned"},
        id="the classifier",
    ),
    pytest.param(
        'name = "quiz"',
        'name = "quiz"\nlicence = "MIT"\nversion = "2"\nsplit = "test"',
        set(),
        None,
        id="what a benchmark is called by its publisher",
    ),
    pytest.param(
        'name = "quiz"',
        'name = "quiz"\naction = "flag"',
        {"mixture", "mixed", "decontaminated", *LATER},
        {"scored", "scanned", "deduped"},
        id="what to do with hits",
    ),
    pytest.param(
        'name = "quiz"',
        'name = "quiz"\nquestion = ["id"]',
        {"scanned", "mixture"},
        {"scored", "deduped"},
        id="how a benchmark is read",
    ),
    pytest.param(
        "[[decontaminate.benchmarks]]",
        '[decontaminate]\nsteps = ["exact", "ngrams"]\n[[decontaminate.benchmarks]]',
        {"scanned"},
        {"scored", "deduped"},
        id="which steps look for benchmarks",
    ),
    pytest.param(
        "[[decontaminate.benchmarks]]",
        "[decontaminate]\nmax_false_positives = 0.5\n[[decontaminate.benchmarks]]",
        set(),
        None,
        id="how thresholds are chosen",
    ),
    pytest.param(
        "{ web = 0.5, books = 0.5 }", "{ web = 2, books = 2 }", {"mixture"}, None, id="the same mix"
    ),
    pytest.param(
        "tokens = 3000",
        "tokens = 900",
        {"mixture", "mixed", "decontaminated", *LATER},
        {"scored", "scanned", "classifier", "deduped"},
        id="the mix",
    ),
    pytest.param(
        "[[mix.phases]]",
        "[export]\nshard_tokens = 400\n[[mix.phases]]",
        {"mixture", *LATER},
        {"scored", "scanned", "deduped"},
        id="size of output shards",
    ),
    pytest.param(
        "[[mix.phases]]",
        "[export]\nseed = 7\n[[mix.phases]]",
        LATER,
        None,
        id="the shuffle",
    ),
    pytest.param(
        "[[mix.phases]]",
        f"{SIGNAL}[[mix.phases]]",
        {"scored", "mixture"},
        {"classifier", "scanned", "deduped"},
        id="a signal by a model file",
    ),
    pytest.param(
        "[[mix.phases]]",
        f"{SIGNAL}[[mix.phases]]\nmin_scores = {{ lamps = 1.5 }}",
        {"scored", "mixture", "mixed"},
        {"classifier", "scanned", "deduped"},
        id="a floor on it",
    ),
    pytest.param(
        "[[mix.phases]]",
        "[mix]\nseed = 7\n[[mix.phases]]",
        {"mixture", "mixed"},
        {"scored", "scanned", "deduped"},
        id="seed of the mix",
    ),
]


@pytest.mark.parametrize(("old", "new", "changed", "same"), CHANGES)
def test_a_change_reaches_what_reads_it(
    old: str, new: str, changed: set[str], same: set[str] | None, path: Path
) -> None:
    """`changed` get another INPUT; `same` do not, and with None nothing else does."""
    written, before = path.read_text(), inputs(load(path))
    recipe = change(path, old, new)
    computed = run_all(recipe)
    after = inputs(recipe)
    found = {stage for stage in before if before[stage] != after[stage]}
    assert changed <= found
    assert found == changed if same is None else not found & same
    assert {s for s, each in computed.items() if any(each.values())} == found - LATER
    path.write_text(written)
    going_back = Lineage(load(path), Store(recipe.root))
    assert {going_back.state(s, p) for s in WORK for p in going_back.partitions(s)} == {"current"}
    assert inputs(load(path)) == before


def test_judging_again_reads_no_text(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`raw` is not opened, and of `annotated` only the columns that rules are about."""
    read: list[tuple[str, set[str]]] = []
    whole = table.batches

    def recorded(source: Any, columns: Any = None) -> Any:
        read.append((Path(source).name.split(".")[0], set(columns)))
        return whole(source, columns)

    recipe = change(path, "min_words = 20", "min_words = 1")
    lineage = Lineage(recipe, Store(recipe.root))
    assert BY_NAME["cleaned"].parents == ("annotated",)
    monkeypatch.setattr(table, "batches", recorded)
    assert all(run_stage(lineage, "cleaned").values())
    assert len(read) == len(lineage.shards)
    assert not any("text" in columns for _, columns in read)
    assert all({"gopher_word_count", "text_bytes"} < columns for _, columns in read)


def test_every_section_of_a_recipe_is_read_by_a_stage(finished: Path) -> None:
    """A field that no stage's INPUT covers would be changed without effect."""
    recipe = load(finished)
    said = [sections(recipe, s.name, "web-00000") for s in STAGES if s.name != "release"]
    text = json.dumps(said)
    for section, parts in {
        "sources": recipe.sources[:1],
        "ingest": (recipe.ingest,),
        "dedup": (recipe.dedup,),
        "score": (recipe.score,),
        "decontaminate": (recipe.decontaminate,),
        "mix": (recipe.mix,),
    }.items():
        for name in {n for part in parts for n in type(part).model_fields} - {"paths", "name"}:
            assert f'"{name}"' in text, f"{section}.{name}"


def test_sections_of_steps_that_are_not_run_are_not_read(finished: Path) -> None:
    recipe = load(finished)
    few = recipe.decontaminate.model_copy(update={"steps": ("exact",)})
    rare = few.rare_terms.model_copy(update={"prose": 0.9})
    other = few.model_copy(update={"rare_terms": rare})
    said = [
        sections(recipe.model_copy(update={"decontaminate": config}), "scanned", "web-00000")
        for config in (recipe.decontaminate, few, other)
    ]
    assert said[1] == said[2]
    assert said[0] != said[1]


def test_cluster_sizes_are_read_only_where_they_weigh(finished: Path) -> None:
    recipe = load(finished)
    mix = recipe.mix.model_copy(update={"cluster_weights": "fineweb2"})
    weighed = recipe.model_copy(update={"mix": mix})
    for stage in STAGES:
        plain, more = parents_of(recipe, stage), parents_of(weighed, stage)
        added = {"deduped"} if stage.name in {"mixture", "mixed"} else set()
        assert set(more) - set(plain) == added
        assert set(plain) <= set(more)
    assert "cluster_weights" not in sections(recipe, "mixed", "web-00000")
    said = sections(weighed, "mixed", "web-00000")["cluster_weights"]
    assert said == sections(weighed, "mixture", ALL)["mix"]["cluster_weights"]
    assert said["100"] == 8, "the numbers, so that a changed preset is a change"


def test_state_and_why(path: Path) -> None:
    recipe = change(path, "min_words = 20", "min_words = 1")
    lineage = Lineage(recipe, Store(recipe.root))
    assert [lineage.state(s, "web-00000") for s in ("raw", "annotated", "cleaned")] == [
        "current",
        "current",
        "stale",
    ]
    assert lineage.state("fingerprinted", "web-00000") == "blocked"
    assert lineage.state("duplicates", ALL) == "blocked"
    assert lineage.state("raw", "web-00009") == "blocked"
    assert lineage.partitions("exported") == []
    assert lineage.why("cleaned", "web-00000") == "changed: recipe (steps)"
    assert lineage.why("fingerprinted", "web-00000") == "follows from its parents"
    with pytest.raises(
        StorageError, match=r"duplicates/all: fingerprinted is not current for books-00000, web"
    ):
        plan_job(lineage, "duplicates", ALL)
    with pytest.raises(StorageError, match="raw/web-00009: no such partition; `curate plan`"):
        plan_job(lineage, "raw", "web-00009")
    assert plan_job(lineage, "raw", "web-00000").state == "current"
    assert plan_job(lineage, "raw", "web-00000", force=True).state == "forced"


def test_what_is_forced_gives_the_same_bytes(path: Path) -> None:
    recipe = load(path)
    store = Store(recipe.root)
    before = {s: store.refs(s) for s in WORK}
    lineage = Lineage(recipe, store)
    for stage, work in WORK.items():
        job = plan_job(lineage, stage, lineage.partitions(stage)[0], force=True)
        assert run(job, work).ref in before[stage]
    assert {s: store.refs(s) for s in WORK} == before


def test_a_new_file_costs_its_partition_and_those_it_says_something_about(path: Path) -> None:
    """The new document is a copy of one in web-00001, whose slice of `duplicates` changes; no other does."""
    recipe = load(path)
    new = path.parent / "web-9.jsonl"
    new.write_text(json.dumps({"text": prose(100)}) + "\n")
    try:
        computed = run_all(recipe)
    finally:
        new.unlink()
    found = {stage: [k for k, done in each.items() if done] for stage, each in computed.items()}
    alone = ["web-00002"]
    assert [found[s] for s in ("raw", "annotated", "cleaned", "fingerprinted")] == [alone] * 4
    assert found["duplicates"] == found["mixture"] == [ALL]
    assert found["classifier"] == []
    assert [found[s] for s in ("deduped", "scored", "scanned")] == [["web-00001", "web-00002"]] * 3


NEAR_FIELDS = [
    {"ngram": 9}, {"preset": "nemotron-cc"}, {"seed": 2}, {"verify": "jaccard"}, {"bands": 3, "rows": 2},
    {"threshold": 1.0, "permutations": 2}, {"min_similarity": 0.9},
]  # fmt: skip


@pytest.mark.parametrize("fields", NEAR_FIELDS, ids=str)
def test_without_near_duplicates_their_fields_are_not_read(
    path: Path, fields: dict[str, Any]
) -> None:
    def read(stage: str, **more: Any) -> tuple[Any, Any]:
        recipe = load(path)
        recipe = recipe.model_copy(update={"dedup": recipe.dedup.model_copy(update=more)})
        return lineage_.sections(recipe, stage, "web-00000"), lineage_.libraries(recipe, stage)

    for stage in ("fingerprinted", "duplicates"):
        assert read(stage, near=False, **fields) == read(stage, near=False)
        assert read(stage, near=False, url=True) != read(stage, url=True)


def test_the_bytes_of_a_file_count_not_its_name(path: Path) -> None:
    before = inputs(load(path))
    quiz = path.parent / "quiz.jsonl"
    renamed = quiz.with_name(f"renamed-{path.stem}.jsonl")
    renamed.write_bytes(quiz.read_bytes())
    assert inputs(change(path, "quiz.jsonl", renamed.name)) == before
    renamed.write_text(json.dumps({"id": "q2", "question": QUESTION}))
    lineage = Lineage(load(path), Store(load(path).root))
    assert lineage.state("scanned", "web-00000") == "stale"
    assert lineage.why("scanned", "web-00000") == "changed: recipe (decontaminate)"


def test_a_new_library_or_code_version_recomputes_what_stores_its_output(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load(path)
    before = inputs(recipe)
    real = lineage_._version

    def other(package: str) -> str:
        return "99" if package == "gigatoken" else real(package)

    with monkeypatch.context() as patch:
        patch.setattr(lineage_, "_version", other)
        lineage = Lineage(recipe, Store(recipe.root))
        assert lineage.state("scored", "web-00000") == "stale"
        assert lineage.why("scored", "web-00000") == "changed: libraries (gigatoken)"
        assert lineage.state("deduped", "web-00000") == "current"
    newer = {**BY_NAME, "cleaned": lineage_.Stage("cleaned", "99", "shard", same=("annotated",))}
    monkeypatch.setattr(lineage_, "BY_NAME", newer)
    assert Lineage(recipe, Store(recipe.root)).why("cleaned", "web-00000") == "changed: code"
    monkeypatch.undo()
    assert inputs(recipe) == before


def test_a_file_of_other_bytes_below_changes_what_is_above(path: Path) -> None:
    """OUTPUT, not INPUT, is what children are made from."""
    recipe = load(path)
    lineage = Lineage(recipe, Store(recipe.root))
    ref = lineage.current("cleaned", "web-00001")
    assert ref
    made_from = lineage.made_from("fingerprinted", "web-00001")
    assert made_from
    assert made_from["parent cleaned"] == [["web-00001", ref.output]]


def test_a_damaged_parent_stops_the_job(path: Path) -> None:
    recipe = load(path)
    lineage = Lineage(recipe, Store(recipe.root))
    ref = lineage.current("raw", "web-00000")
    assert ref
    file = Path(recipe.root) / ref.name
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    job = plan_job(lineage, "annotated", "web-00000", force=True)
    with pytest.raises(IntegrityError, match=rf"{ref.name}: damaged"):
        run(job, annotate_shard)


@pytest.mark.parametrize("lost", [-1, 1])
def test_a_stage_that_loses_or_gains_documents_publishes_nothing(lost: int, path: Path) -> None:
    recipe = change(path, "min_words = 20", "min_words = 19")
    lineage = Lineage(recipe, Store(recipe.root))
    before = lineage.store.refs("cleaned")
    job = plan_job(lineage, "cleaned", "web-00000")
    assert job.expected_rows == 10
    wrong = replace(job, expected_rows=10 - lost)
    with pytest.raises(
        IntegrityError, match=rf"cleaned/web-00000: {10 - lost} documents came in.*not published"
    ):
        run(wrong, clean_shard)
    assert lineage.store.refs("cleaned") == before
    assert list((Path(recipe.root) / ".scratch").iterdir()) == []


def test_without_a_classifier_there_is_no_such_stage(path: Path) -> None:
    recipe = load(path).model_copy(update={"score": Score()})
    assert "classifier" not in [s.name for s in stages(recipe)]
    run_all(recipe)
    lineage = Lineage(recipe, Store(recipe.root))
    made_from = lineage.made_from("scored", "web-00000")
    assert made_from
    assert "parent classifier" not in made_from
    assert lineage.state("decontaminated", "books-00000") == "current"


def test_the_corpus_does_what_the_tests_suppose(finished: Path) -> None:
    lineage = Lineage(load(finished), Store(load(finished).root))

    def rejected(stage: str) -> dict[str, int]:
        total: dict[str, int] = {}
        for partition in lineage.partitions(stage):
            ref = lineage.current(stage, partition)
            assert ref
            for rule, count in lineage.footer(ref)["rejected"].items():
                total[rule] = total.get(rule, 0) + count
        return total

    assert rejected("cleaned") == {"clean.gopher_min_words": 3}
    assert sum(rejected("deduped").values()) == 2
    assert rejected("decontaminated") != {}
