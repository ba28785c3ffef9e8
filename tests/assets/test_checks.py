"""Every check is seen failing once, on data that breaks what it asserts, and passing on the data it was made from."""

import dataclasses

import polars as pl
import pytest
from conftest_graph import curate

from curation_dagster import job, table
from curation_dagster.clean.rules import rules_of
from curation_dagster.clean.stage import clean_shard
from curation_dagster.errors import IntegrityError, SchemaError
from curation_dagster.export.audit import audit
from curation_dagster.job import plan_job, reuse
from curation_dagster.lineage import Lineage
from curation_dagster.orchestration import checks
from curation_dagster.recipe_file import load
from curation_dagster.store import Store


def receipts(lineage: Lineage, stage: str) -> list[job.Receipt]:
    return [reuse(lineage, plan_job(lineage, stage, key)) for key in lineage.partitions(stage)]


def changed(receipt: job.Receipt, **summary) -> job.Receipt:
    return dataclasses.replace(receipt, summary=receipt.summary | summary)


def verdicts(lineage: Lineage, stage: str, given: list[job.Receipt]) -> dict[str, bool]:
    import dagster as dg

    found = checks.results(lineage, dg.AssetKey([lineage.recipe.name, stage]), stage, given)
    return {result.check_name: result.passed for result in found}


STAGES = ("raw", "annotated", "cleaned", "fingerprinted", "duplicates", "deduped", "classifier", "scored", "scanned",
          "mixture", "mixed", "decontaminated", "exported", "release")  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_all_checks_pass_on_the_golden_run(curated, stage):
    found = verdicts(curated[2], stage, receipts(curated[2], stage))
    assert found
    assert all(found.values()), found


@pytest.mark.parametrize(
    ("stage", "check", "change"),
    [
        pytest.param("annotated", "conservation", {"rows": 3}, id="rows that do not add up"),
        pytest.param(
            "deduped",
            "conservation",
            {"rows": 1, "kept": 1, "rejected": {}},
            id="rows that went missing",
        ),
        pytest.param("cleaned", "retention", {"kept": 0}, id="nothing kept"),
        pytest.param(
            "cleaned",
            "rules_saw_columns",
            {"rules": ["language"]},
            id="a rule that was not applied",
        ),
        pytest.param(
            "cleaned",
            "rules_saw_columns",
            {"unmeasured": {"gopher_word_count": 10**6}},
            id="no value",
        ),
        pytest.param(
            "scanned", "benchmarks_found", {"items": 0, "undetectable": 0}, id="an empty index"
        ),
        pytest.param("exported", "copies", {"rows": 10**6}, id="more rows than copies"),
        pytest.param(
            "classifier", "held_out", {"metrics": {"auc": 0.5}}, id="a classifier that guesses"
        ),
    ],
)
def test_a_check_fails_on_what_breaks_it(curated, stage, check, change):
    given = [changed(r, **change) for r in receipts(curated[2], stage)]
    if check == "rules_saw_columns" and "unmeasured" in change:
        given = [changed(r, unmeasured={"gopher_word_count": r.summary["rows"]}) for r in given]
    assert verdicts(curated[2], stage, given)[check] is False


def fired(curated, rows: int, failed: dict[str, int]) -> tuple[bool, dict]:
    """Ask the check about a run of two partitions whose rules failed so many documents together."""
    lineage = curated[2]
    first, second = receipts(lineage, "cleaned")[:2]
    every = dict.fromkeys(first.summary["failed"], 1)
    halves = [
        changed(first, rows=rows - 1, failed=every | failed),
        changed(second, rows=1, failed={}),
    ]
    return checks.rules_fired(lineage, "cleaned", halves)


@pytest.mark.parametrize(
    ("rows", "failed", "reason"),
    [
        pytest.param(9_999, {"gopher_max_words": 0}, None, id="never, of few"),
        pytest.param(
            10_000,
            {"gopher_max_words": 0},
            "gopher_max_words rejects none of 10,000 documents",
            id="never",
        ),
        pytest.param(10_000, {"gopher_max_words": 1}, None, id="once"),
        pytest.param(99, {"language": 99}, None, id="always, of few"),
        pytest.param(100, {"language": 100}, "language rejects all 100 documents", id="always"),
        pytest.param(100, {"language": 99}, None, id="all but one"),
    ],
)
def test_a_rule_that_never_or_always_fires_is_named(curated, rows, failed, reason):
    passed, metadata = fired(curated, rows, failed)
    assert metadata["reason"] == ([reason] if reason else [])
    assert passed is (reason is None)
    ((rule, count),) = failed.items()
    assert (rule in metadata["never"]) is (count == 0)
    assert (rule in metadata["always"]) is (count == rows)


def test_the_failures_of_a_rule_are_counted_whatever_hides_it(curated):
    """An oracle: each rule by itself over the signals, whereas a verdict names the first only."""
    lineage = curated[2]
    signals = pl.concat(
        pl.read_parquet(lineage.store.path(lineage.current("annotated", key).name))
        for key in lineage.partitions("annotated")
    )
    found: dict[str, int] = {}
    for receipt in receipts(lineage, "cleaned"):
        for rule, count in receipt.summary["failed"].items():
            found[rule] = found.get(rule, 0) + count
    rules = rules_of(lineage.recipe.steps)
    assert found == {
        rule: signals.height - signals.filter(keep).height for rule, keep in rules.items()
    }
    named = sum(r.summary["rows"] - r.summary["kept"] for r in receipts(lineage, "cleaned"))
    assert sum(found.values()) > named


def test_a_rule_that_never_fires_warns(curated):
    import dagster as dg

    lineage = curated[2]
    given = [changed(r, rows=10**5, failed={}) for r in receipts(lineage, "cleaned")]
    found = checks.results(lineage, dg.AssetKey(["tiny", "cleaned"]), "cleaned", given)
    warned = next(r for r in found if r.check_name == "rules_fired")
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "gopher_min_words rejects none of 400,000 documents" in warned.metadata["reason"].value


@pytest.mark.parametrize(
    ("sampled", "passed", "said"),
    [
        pytest.param([], True, {"sampled": 0, "taken_as_one": 0, "documents_taken": 0}, id="none"),
        pytest.param([(2_000_000, 1000)], False, {"taken_as_one": 1, "documents_taken": 2_000_000}, id="taken"),
        pytest.param([(2_000_000, 999), (3_000_000, 1000)], False,
                     {"sampled": 2, "taken_as_one": 1, "documents_taken": 3_000_000,
                      "not_wholly_agreeing": ["999 of 1,000 of 2,000,000 members agree"]}, id="one not wholly"),
    ],
)  # fmt: skip
def test_sampled_buckets_are_told_of(curated, sampled, passed, said):
    lineage = curated[2]
    buckets = [{"members": n, "sample": 1000, "agreed": agreed} for n, agreed in sampled]
    given = [changed(r, sampled=buckets) for r in receipts(lineage, "duplicates")]
    found, metadata = checks.buckets_sampled(lineage, "duplicates", given)
    assert found is passed
    assert said.items() <= metadata.items()


def test_the_figures_of_duplicates_are_shown(curated):
    from curation_dagster.orchestration import report

    lineage = curated[2]
    shown = report.of_run(lineage, "duplicates", receipts(lineage, "duplicates"))
    assert shown["cluster_sizes"].value.startswith("| size | clusters | documents |")
    assert shown["overlap"].value.startswith("| source | alpha | beta |")
    lost = lineage.footer(lineage.current("duplicates", "all"))["removed"]["alpha"][1]
    assert f"| {lost} |" in shown["removed_by_source"].value.splitlines()[2]


def test_the_schema_check_fails_on_partitions_that_differ(curated):
    lineage = curated[2]
    mixed = [*receipts(lineage, "cleaned")[:1], *receipts(lineage, "scored")[:1]]
    assert checks.schema(lineage, "cleaned", mixed)[0] is False


def test_a_budget_that_supply_cannot_meet_is_explained(fresh, instance):
    fresh.write_text(fresh.read_text().replace("tokens = 30000", "tokens = 9000000"))
    done, lineage = curate(fresh, instance, last="mixture")
    assert done.failed_checks == []  # a shortfall warns
    given = receipts(lineage, "mixture")
    assert verdicts(lineage, "mixture", given)["budget"] is False
    with lineage.store.fetch(given[0].ref) as (path,):
        rows = table.read(path)
    assert rows["reason"].to_list() == ["supply allows 2 epochs"] * 2
    assert (rows["planned_tokens"] == 2 * rows["supply_tokens"]).all()


def test_audit_checks_fail_where_the_audit_found_something(curated, tmp_path):
    lineage = curated[2]
    ref = lineage.current("exported", lineage.partitions("exported")[0])
    with lineage.store.fetch(ref) as (path,):
        rows = table.read(path)
    spoiled = rows.with_columns(
        doc_id=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("x-1")).otherwise("doc_id"),
        text=pl.when(pl.int_range(pl.len()) == 0)
        .then(pl.lit(rows["text"][1].upper()))
        .when(pl.int_range(pl.len()) == 2)
        .then(pl.lit(_question()))
        .otherwise("text"),
    )
    spoiled.write_parquet(tmp_path / "spoiled.parquet")
    config, erased = lineage.recipe.decontaminate, {rows["doc_id"][3], "not-there"}
    found = audit([tmp_path / "spoiled.parquet"], config, erased=erased)
    assert found.erased_examples == (rows["doc_id"][3],)
    assert found.duplicates == 1
    assert found.contaminated == 1
    assert not found.passed
    given = [changed(r, audit=dataclasses.asdict(found)) for r in receipts(lineage, "release")]
    assert verdicts(lineage, "release", given) == {
        "no_exact_duplicates": False,
        "no_benchmark_ngrams": False,
        "nothing_erased": False,
    }


def test_a_stage_that_loses_a_document_publishes_nothing(copied):
    recipe = load(copied.with_name("tiny.toml"))
    store = Store(recipe.root)
    for ref in store.refs("cleaned"):
        (copied.parent / "store" / ref.name).unlink()
    planned = plan_job(Lineage(recipe, store), "cleaned", "alpha-00000")

    def losing(job_, files):
        whole = table.TableWriter.write
        try:
            table.TableWriter.write = lambda self, frame: whole(self, frame.head(frame.height - 1))
            return clean_shard(job_, files)
        finally:
            table.TableWriter.write = whole

    with pytest.raises(IntegrityError, match="came in"):
        job.run(planned, losing)
    assert store.refs("cleaned") == []
    assert list((copied.parent / "store" / ".scratch").iterdir()) == []


def test_a_rule_over_a_missing_column_is_an_error(copied, monkeypatch):
    recipe = load(copied)
    planned = plan_job(Lineage(recipe, Store(recipe.root)), "cleaned", "alpha-00000", force=True)
    from curation_dagster.clean import stage

    monkeypatch.setattr(stage, "rules_of", lambda _: {"made_up": pl.col("no_such_signal") > 0})
    with pytest.raises(SchemaError, match="no_such_signal"):
        job.run(planned, clean_shard)


def test_a_release_whose_audit_failed_is_not_published(copied):
    from curation_dagster.export.release import publish

    recipe = load(copied)
    store = Store(recipe.root)
    manifest = Lineage(recipe, store).footer(store.refs("release")[0])
    assert (
        publish(store, manifest | {"audit": manifest["audit"] | {"passed": False}}, jsonl=False)
        == []
    )
    assert publish(store, manifest, jsonl=False)


def _question() -> str:
    import corpus

    return corpus.QUESTION
