"""A corpus outside of its gates stops before the mixture until somebody accepts it, and the release tells who."""

import gzip
import json
import os
import time
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from conftest_graph import curate, outputs

from curation_dagster import gate_judge, gates
from curation_dagster.cli import main
from curation_dagster.lineage import Lineage
from curation_dagster.orchestration import automation, checks
from curation_dagster.recipe_file import load
from curation_dagster.store import Store


@pytest.fixture
def own_instance():
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def call(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def state(path: Path) -> Lineage:
    return Lineage(load(path), Store.of(load(path)))


def files(path: Path) -> list[str]:
    return state(path).store.names("gates/tiny")


def edit(path: Path, *, old: str = "", new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new) if old else text + new)


def add_bad_file(path: Path) -> None:
    """Add what a broken extraction leaves: fragments, of which the rules keep none."""
    texts = [f"Cookies. Log in. {n}" for n in range(20)]
    lines = [json.dumps({"text": t, "url": f"https://x.test/{t[-2:]}"}) for t in texts]
    target = path.parent / "corpus" / "alpha-9.jsonl.gz"
    target.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    os.utime(target, (time.time() - 3600,) * 2)


BAND = "\n[gates]\nmin_retention = 0.05\nmin_documents = 20\n"


def test_from_a_bad_shard_to_an_accepted_release(copied, own_instance):
    add_bad_file(copied)
    edit(copied, new=BAND)
    done, lineage = curate(copied, own_instance)

    assert done.refused
    [said] = done.failures
    assert said.startswith("mixture: refused, 1 gate failed:\n  cleaned/alpha-00002: keeps 0.0% of")
    assert "of 20 documents, 5.0% to 100.0% allowed; clean." in said
    assert "clean.language rejects" in said or "clean.gopher_min_words rejects" in said
    assert "in 2 earlier shards)" in said
    assert said.endswith('curate accept tiny cleaned --because "…"')
    assert any("retention" in failed for failed in done.failed_checks)
    others = outputs(lineage, "cleaned", "deduped", "scanned")  # one bad shard stops no other
    assert len(others) == 15
    assert "missing" not in others.values()
    assert lineage.state("mixture", "all") == "stale"
    [name] = files(copied)
    assert name.startswith("cleaned.retention.alpha-00002.")

    shown = call("gates", copied)
    assert shown.exit_code == 3
    assert "open: cleaned/alpha-00002: keeps 0.0% of 20 documents" in shown.stdout
    assert call("status", copied).stdout.count("1 gate open") == 1

    again, _ = curate(copied, own_instance, first="mixture")  # and a run asks for nothing new
    assert again.failures == done.failures
    assert files(copied) == [name]

    wrong = call("accept", copied, "cleaned", "--because", " ")
    assert (wrong.exit_code, files(copied)) == (2, [name])
    taken = call("accept", copied, "cleaned", "--because", "a test of ours", "--by", "ada")
    assert taken.exit_code == 0, taken.output
    assert "accepted: cleaned/alpha-00002" in taken.stdout
    assert call("gates", copied).exit_code == 0
    assert call("accept", copied, "cleaned", "--because", "again").exit_code == 2

    done, lineage = curate(copied, own_instance)
    assert (done.failures, done.failed_checks) == ([], [])
    manifest = lineage.footer(lineage.current("release", "all"))
    [gate] = manifest["gates"]
    assert (gate["by"], gate["because"], gate["partition"]) == ("ada", "a test of ours", "alpha-00002")  # fmt: skip
    assert gate["found"] == {"documents": 20, "kept": 0}
    released = copied.parent / "store" / "releases" / "tiny"
    assert json.loads((released / "manifest.json").read_text())["gates"] == [gate]
    assert "| ada |" in (released / "README.md").read_text()
    done, _ = curate(copied, own_instance)
    assert done.computed == {}

    edit(copied, old="min_retention = 0.05", new="min_retention = 0.06")  # another limit
    done, lineage = curate(copied, own_instance, first="mixture")
    assert done.refused
    assert lineage.state("mixture", "all") == "current"  # yet nothing goes on from it
    assert len([n for n in files(copied) if n.startswith("cleaned.")]) == 2


def test_the_sensor_waits_and_does_not_count_refusals(copied, own_instance):
    for path in (copied.parent / "corpus").iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    edit(copied, new="\n[gates]\nmin_retention = 0.95\n[automation]\nmax_attempts = 1\n")
    recipe = load(copied)
    automation.wish(recipe)

    def look():
        return automation.sensor(recipe)(dg.build_sensor_context(instance=own_instance))

    done, _ = curate(copied, own_instance, first="mixture", last="mixture")
    assert done.refused
    found = look()
    assert not found.run_requests
    said = found.skip_reason.skip_message
    assert 'waiting for curate accept tiny cleaned --because "…"' in said
    tried = own_instance.get_runs_count()
    assert [look().run_requests for _ in range(3)] == [[]] * 3
    assert own_instance.get_runs_count() == tried

    for stage in ("cleaned", "deduped"):
        found = call("accept", copied, stage, "--because", "so it is", "--by", "ada")
        assert found.exit_code in {0, 2}
    found = look()
    assert [k.path[-1] for r in found.run_requests for k in r.asset_selection] != []


def test_a_refused_run_of_the_sensor_is_no_attempt_once_it_is_accepted(copied, own_instance):
    """Whoever removes the files of gates gets one run that is refused, not more."""
    for path in (copied.parent / "corpus").iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    edit(copied, old="tokens = 30000", new="tokens = 20000")  # another mixture is due
    edit(copied, new='\n[gates]\nlicenses = ["MIT"]\n[automation]\nmax_attempts = 1\n')
    recipe = load(copied)
    automation.wish(recipe)

    def look():
        return automation.sensor(recipe)(dg.build_sensor_context(instance=own_instance))

    [request] = look().run_requests
    assert [k.path[-1] for k in request.asset_selection] == ["mixture"]
    job = dg.Definitions(assets=_assets(recipe), executor=dg.in_process_executor)
    run = job.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=own_instance, tags=request.tags, asset_selection=list(request.asset_selection),
        raise_on_error=False,
    )  # fmt: skip
    assert not run.success
    assert "waiting for curate accept tiny annotated" in look().skip_reason.skip_message
    assert call("accept", copied, "annotated", "--because", "ours", "--by", "ada").exit_code == 0
    [again] = look().run_requests
    assert again.tags[automation.WORK_TAG] != request.tags[automation.WORK_TAG]


def _assets(recipe):
    from curation_dagster.orchestration.graph import assets_of

    return assets_of(recipe)


def judged(path: Path, stage: str) -> dict[str, dg.AssetCheckResult]:
    from curation_dagster.job import plan_job, reuse

    lineage = state(path)
    given = [reuse(lineage, plan_job(lineage, stage, key)) for key in lineage.partitions(stage)]
    found = checks.results(lineage, dg.AssetKey(["tiny", stage]), stage, given)
    return {result.check_name: result for result in found}


def test_a_licence_that_is_not_allowed(copied, own_instance):
    assert judged(copied, "annotated")["licenses"].passed  # no list, no gate
    edit(copied, new='\n[gates]\nlicenses = ["CC-BY-*", "MIT"]\n')
    found = judged(copied, "annotated")["licenses"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "undeclared (" in found.metadata["reason"].value
    done, lineage = curate(copied, own_instance, first="mixture", last="mixture")
    assert done.refused
    assert "licences that [gates] licenses does not allow: undeclared (" in done.failures[0]
    assert len(files(copied)) == 4
    assert all(name.startswith("annotated.licenses.") for name in files(copied))
    assert call("accept", copied, "annotated", "--because", "ours", "--by", "ada").exit_code == 0
    found = judged(copied, "annotated")["licenses"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.metadata["accepted"].value == "ada: ours"
    done, lineage = curate(copied, own_instance, first="mixture", last="mixture")
    assert not done.failures
    assert [gate.check for gate, _ in gates.accepted(lineage)] == ["licenses"] * 4


def test_probes_that_fail_can_be_accepted_and_then_ship(copied, own_instance):
    item = json.dumps({"id": "bees", "question": "What?", "changed": True})  # too short to be found
    (copied.parent / "corpus" / "benchmark.jsonl").write_text(item)
    published = copied.parent / "store" / "releases" / "tiny" / "manifest.json"
    published.unlink()
    done, _ = curate(copied, own_instance)
    assert done.refused
    assert "scanned: probes failed: bees: none of its 1 items is long enough" in done.failures[0]
    assert any("probes_found" in failed for failed in done.failed_checks)
    [name] = files(copied)
    assert name.startswith("scanned.probes_found.all.")
    assert call("accept", copied, "scanned", "--because", "it is a toy", "--by", "ada").exit_code == 0  # fmt: skip
    done, _ = curate(copied, own_instance)
    assert not done.failures
    manifest = json.loads(published.read_text())
    assert manifest["probes_failed"]
    assert [gate["because"] for gate in manifest["gates"]] == ["it is a toy"]


def test_a_gate_after_the_mixture_stops_the_export(copied, own_instance):
    edit(copied, old="tokens = 30000", new="tokens = 60000")
    edit(copied, new="\n[gates]\nmin_retention = 0.999\n")  # a benchmark item drops documents
    for stage in ("cleaned", "deduped"):
        taken = call("accept", copied, stage, "--because", "a test of ours", "--by", "ada")
        assert f"accepted: {stage}, all its shards: keeps" in taken.stdout
    done, lineage = curate(copied, own_instance)
    assert done.refused
    assert done.failures[0].startswith("exported: refused, 1 gate failed:\n  decontaminated, all")
    assert 'curate accept tiny decontaminated --because "…"' in done.failures[0]
    assert lineage.state("decontaminated", "alpha-00000") == "current"
    assert lineage.state("release", "all") == "blocked"
    assert call("accept", copied, "decontaminated", "--because", "it is a toy").exit_code == 0
    done, lineage = curate(copied, own_instance)
    assert not done.failures
    told = lineage.footer(lineage.current("release", "all"))["gates"]
    assert [gate["stage"] for gate in told] == ["cleaned", "decontaminated", "deduped"]


@pytest.mark.parametrize(
    ("rows", "kept", "fails"),
    [
        pytest.param(100, 20, False, id="at the lower limit"),
        pytest.param(100, 19, True, id="just below"),
        pytest.param(100, 90, False, id="at the upper limit"),
        pytest.param(100, 91, True, id="just above"),
        pytest.param(99, 0, False, id="too few documents"),
        pytest.param(0, 0, False, id="none"),
    ],
)
def test_a_shard_at_the_band(curated, tmp_path, rows, kept, fails):
    path = tmp_path / "tiny.toml"
    text = curated[0].read_text().replace('"store"', f'"{curated[0].parent}/store"')
    text = text.replace('"corpus/', f'"{curated[0].parent}/corpus/')
    path.write_text(text + "\n[gates]\nmin_retention = 0.2\nmax_retention = 0.9\n")
    lineage = state(path)
    summary = {"rows": rows, "kept": kept, "rejected": {"clean.x": rows - kept}}
    file = (lineage.current("cleaned", "alpha-00000"), summary)
    found = gate_judge.judge(lineage, "cleaned", [file], whole=False)
    assert bool(found) is fails
    whole = gate_judge.judge(lineage, "cleaned", [file], whole=True)
    assert [g.partition for g in whole] == ["alpha-00000"] * fails + ["all"] * (fails or rows == 99)


def test_a_source_that_gets_nothing_new_fails_a_check_without_a_run(copied, own_instance):
    for path in (copied.parent / "corpus").iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    assert judged(copied, "raw")["fresh"].passed
    edit(copied, new="\n[automation]\nmax_age_days = { alpha = 1, beta = 30 }\n")
    recipe = load(copied)
    cursor = None

    def look():
        nonlocal cursor
        context = dg.build_sensor_context(instance=own_instance, cursor=cursor)
        found = automation.sensor(recipe)(context)
        cursor = found.cursor
        return [e for e in found.asset_events if e.check_name == "fresh"]

    [event] = look()
    assert (event.check_name, event.passed) == ("fresh", True)
    assert look() == []  # said once
    for shard in (copied.parent / "store" / "plan" / "alpha").iterdir():
        os.utime(shard, (time.time() - 2 * 86400,) * 2)
    [event] = look()
    assert not event.passed
    assert event.metadata["stale"].value == "alpha: last new file 2.0 days ago, 1 allowed"
    assert not judged(copied, "raw")["fresh"].passed
    assert look() == []
    own_instance.report_runless_asset_event(event)  # what the daemon does with it
    check = dg.AssetCheckKey(dg.AssetKey(["tiny", "raw"]), "fresh")
    stored = own_instance.event_log_storage.get_latest_asset_check_execution_by_key([check])
    assert stored[check].status.value == "FAILED"
    add_bad_file(copied)
    [event] = look()
    assert event.passed
