"""The sensor: new files become shards and runs, what is lost is repaired, nothing is asked for twice."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import corpus
import dagster as dg
import pytest
from conftest_graph import outputs

from curation_dagster.lineage import Lineage
from curation_dagster.orchestration import automation, partitions, workers
from curation_dagster.orchestration.graph import assets_of, definitions
from curation_dagster.orchestration.runs import RANGE_END, RANGE_START
from curation_dagster.orchestration.workers import WORKER, is_dead, said
from curation_dagster.recipe_file import digest, load
from curation_dagster.store import Store

SETTINGS = """
[automation]
shards_per_run = 2
max_runs = 2
release_cron = "0 3 * * 1"
"""


@pytest.fixture
def own_instance():
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def automated(fresh):
    fresh.write_text(fresh.read_text() + SETTINGS)
    for path in (fresh.parent / "corpus").iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    return load(fresh)


def look(recipe, instance) -> dg.SensorResult:
    found = automation.sensor(recipe)(dg.build_sensor_context(instance=instance))
    assert isinstance(found, dg.SensorResult)
    return found


def execute(recipe, instance, request, *, fail: bool = False) -> None:
    """Do in this process what the daemon does with a request."""
    job = dg.Definitions(
        assets=assets_of(recipe), executor=dg.in_process_executor
    ).resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(
        instance=instance, tags=request.tags, asset_selection=list(request.asset_selection),
        raise_on_error=False,
    )  # fmt: skip
    errors = [
        entry.dagster_event.step_failure_data.error
        for entry in instance.all_logs(done.run_id)
        if entry.dagster_event and entry.dagster_event.is_step_failure
    ]
    assert bool(errors) is fail, errors


def until_idle(recipe, instance) -> tuple[list[list[str]], str]:
    """Look and run until nothing is asked for; return what was run, by stages, and the last reason."""
    ran = []
    for _ in range(30):
        found = look(recipe, instance)
        if not found.run_requests:
            return ran, str(found.skip_reason.skip_message)
        assert len(found.run_requests) <= recipe.automation.max_runs
        for request in found.run_requests:
            ran.append([k.path[-1] for k in request.asset_selection])
            execute(recipe, instance, request)
    raise AssertionError(ran)


def state_of(recipe) -> Lineage:
    return Lineage(recipe, Store.of(recipe))


def test_from_files_to_a_release(automated, own_instance):
    ran, said = until_idle(automated, own_instance)
    assert ran[0] == ["raw", "annotated", "cleaned", "fingerprinted"]
    assert ran[:2] == [ran[0]] * 2  # four shards, two a run
    assert ["duplicates"] in ran
    assert "mixture" in said
    assert ["mixture"] not in ran
    assert "wished for" in automation.schedule(automated)().skip_message
    grow(automated)  # a file that comes meanwhile waits
    ran, said = until_idle(automated, own_instance)
    assert (ran[0], ran[-1]) == (["mixture"], ["release"])
    assert said == "everything is current"
    assert "missing" not in outputs(state_of(automated)).values()
    assert len(state_of(automated).shards) == 4
    ran, said = until_idle(automated, own_instance)
    assert len(state_of(automated).shards) == 5
    assert "mixture" in said


def grow(recipe) -> None:
    """Add a file to the first source, written an hour ago."""
    texts = [corpus.prose(n) for n in range(900, 905)]
    lines = [json.dumps({"text": t, "url": f"https://x.test/{n}"}) for n, t in enumerate(texts)]
    path = Path(recipe.sources[0].paths[0]).parent / "alpha-9.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    os.utime(path, (time.time() - 3600,) * 2)


def test_a_new_file_gets_its_own_run_and_nothing_else_does(automated, own_instance):
    until_idle(automated, own_instance)
    before = outputs(state_of(automated), "fingerprinted")
    grow(automated)
    found = look(automated, own_instance)
    [request] = found.run_requests
    assert request.partition_key_range.start == request.partition_key_range.end == "alpha-00002"
    assert "planned 1 new shard" in json.loads(found.cursor)["said"]
    until_idle(automated, own_instance)
    after = outputs(state_of(automated), "fingerprinted")
    assert before.items() < after.items()


def test_what_was_lost_is_found_at_the_next_look(automated, own_instance):
    """A worker killed after a backfill was called complete leaves a partition missing."""
    until_idle(automated, own_instance)
    lineage = state_of(automated)
    lost = lineage.partitions("annotated")[2]
    kept = lineage.current("annotated", lost)
    Path(lineage.store.path(kept.name)).unlink()
    found = look(automated, own_instance)
    [request] = found.run_requests
    assert request.partition_key_range.start == request.partition_key_range.end == lost
    execute(automated, own_instance, request)
    assert state_of(automated).current("annotated", lost) == kept
    assert not look(automated, own_instance).run_requests


def test_work_in_progress_is_not_asked_for_again(automated, own_instance):
    [first, second] = look(automated, own_instance).run_requests
    status = dg.DagsterRunStatus
    own_instance.add_run(
        dg.DagsterRun("x", run_id=str(uuid.uuid4()), tags=first.tags, status=status.STARTED)
    )
    [again] = look(automated, own_instance).run_requests
    assert again.tags == second.tags
    own_instance.add_run(
        dg.DagsterRun("x", run_id=str(uuid.uuid4()), tags=second.tags, status=status.STARTING)
    )
    assert "2 runs in progress" in look(automated, own_instance).skip_reason.skip_message


KILLED = """
import os, pathlib, signal, sys, threading
from curation_dagster.commands import run
from curation_dagster import engine
from curation_dagster.recipe_file import load
engine.run_all = lambda *given, **named: os.kill(os.getpid(), signal.SIGKILL)
run.run(load(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]), run.Options(None, "cleaned", None, False, True))
"""


def test_the_run_of_a_killed_process_is_ended_and_its_work_asked_for_again(
    automated, fresh, tmp_path, monkeypatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    done = subprocess.run([sys.executable, "-c", KILLED, fresh, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    with dg.DagsterInstance.get() as instance:
        [run] = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.STARTED
        assert is_dead(run.tags[WORKER])
        assert len(look(automated, instance).run_requests) == 2
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE


def test_a_run_killed_before_its_first_step_is_found(automated, own_instance):
    """It has named no process; Dagster thinks that it runs."""
    [first, _] = look(automated, own_instance).run_requests
    own_instance.add_run(
        dg.DagsterRun("x", run_id=(run_id := str(uuid.uuid4())), tags=first.tags, status=dg.DagsterRunStatus.STARTED)
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        record = own_instance.get_run_record_by_id(run_id)
        for ago, dead in ((5, []), (600, [run_id])):
            since = record._replace(start_time=time.time() - ago)
            patch.setattr(type(own_instance), "get_run_record_by_id", lambda *_, since=since: since)
            runs = workers.busy(own_instance, automated)
            assert [run.run_id for run in workers.dead(own_instance, runs)] == dead


def test_a_release_that_was_not_rendered_whole_is_found_and_told(automated, own_instance):
    automation.wish(automated)
    until_idle(automated, own_instance)
    said = look(automated, own_instance)
    assert [(e.check_name, e.passed) for e in said.asset_events] == [("reconciled", True)]
    Path(automated.root, "releases/tiny/manifest.json").unlink()
    grow(automated)  # waits: it would make the mixture stale
    found = look(automated, own_instance)
    [request] = found.run_requests
    assert [k.path[-1] for k in request.asset_selection] == ["release"]
    [event] = found.asset_events
    assert (event.passed, event.metadata["lacks"].value) == (False, "release: 1 interrupted")
    execute(automated, own_instance, request)
    assert Path(automated.root, "releases/tiny/manifest.json").exists()


def test_a_wish_before_anything_is_planned_is_one_for_the_first_release(automated, own_instance):
    automation.wish(automated)
    ran, said = until_idle(automated, own_instance)
    assert (ran[-1], said) == (["release"], "everything is current")


def test_a_file_that_may_still_grow_waits(automated, own_instance):
    until_idle(automated, own_instance)
    grow(automated)
    path = Path(automated.sources[0].paths[0]).parent / "alpha-9.jsonl.gz"
    os.utime(path)
    assert "planned" not in json.loads(look(automated, own_instance).cursor)["said"]
    os.utime(path, (time.time() - automated.automation.check_every_s - 1,) * 2)
    assert "planned 1 new shard" in json.loads(look(automated, own_instance).cursor)["said"]


def test_ranges_follow_the_order_in_which_dagster_learned_of_the_shards(automated, own_instance):
    """Another recipe over the root may plan a source first: plan order is then not Dagster's."""
    name = partitions.definition(automated, "shard").name
    own_instance.add_dynamic_partitions(name, ["beta-00000", "beta-00001"])
    ran, said = until_idle(automated, own_instance)
    assert "mixture" in said
    assert ran.count(ran[0]) == 2
    lineage = state_of(automated)
    assert {lineage.state("scanned", key) for key in lineage.shards} == {"current"}


def test_a_run_that_names_no_partition_fails(automated, own_instance):
    look(automated, own_instance)
    tags = {RANGE_START: "beta-00001", RANGE_END: "alpha-00000"}
    request = dg.RunRequest(asset_selection=[dg.AssetKey(["tiny", "raw"])], tags=tags)
    execute(automated, own_instance, request, fail=True)


def test_a_process_is_known_by_when_it_started():
    host, pid, started = said("x").rsplit("/", 2)
    assert not is_dead(said("x"))
    assert is_dead(f"{host}/{pid}/1{started}")
    assert is_dead(f"{host}/999999999/1")
    assert not is_dead("x@another-host/999999999/1")


def test_what_fails_again_and_again_is_left_alone(automated, own_instance):
    path = Path(automated.sources[0].paths[0]).parent / "alpha-0.jsonl.gz"
    content = path.read_bytes()
    look(automated, own_instance)  # plans
    path.unlink()
    for _ in range(automated.automation.max_attempts):
        request = look(automated, own_instance).run_requests[0]
        execute(automated, own_instance, request, fail=True)
    for request in look(automated, own_instance).run_requests:
        execute(automated, own_instance, request)
    said = look(automated, own_instance)
    assert not said.run_requests
    assert "alpha-00000 to alpha-00001 failed in 3 attempts" in said.skip_reason.skip_message
    path.write_bytes(content)


@pytest.mark.usefixtures("automated")
def test_the_code_location_has_both_and_a_bad_cron_is_a_broken_recipe(fresh):
    found = definitions([fresh])
    dg.Definitions.validate_loadable(found)
    assert [s.name for s in found.sensors] == ["tiny_new_inputs"]
    [schedule] = found.schedules
    assert (schedule.name, schedule.cron_schedule) == ("tiny_release", "0 3 * * 1")
    bad = fresh.with_name("bad.toml")
    bad.write_text(fresh.read_text().replace("0 3 * * 1", "0 99 * * 1"))
    both = definitions([fresh, bad])
    assert len(list(both.sensors)) == 1
    assert dg.AssetKey(["bad", "recipe"]) in {s.key for s in both.resolve_all_asset_specs()}


def test_automation_is_nothing_a_partition_is_made_from(automated, fresh):
    assert digest(load(fresh)) == digest(
        automated.model_copy(
            update={"automation": automated.automation.model_copy(update={"max_runs": 9})}
        )
    )
