"""`curate run --pilot`: which shards, that the whole run reuses them, and what is extrapolated."""

import dagster as dg
import pytest
from conftest_graph import curate as graph
from conftest_graph import outputs

from curation_dagster import plan
from curation_dagster.commands import pilot
from curation_dagster.commands.space import held
from curation_dagster.commands.whereabouts import manifest
from curation_dagster.lineage import Lineage
from curation_dagster.orchestration import instance as instance_
from curation_dagster.orchestration import launch
from curation_dagster.plan import Input, Shard
from curation_dagster.recipe_file import digest, load
from curation_dagster.store import Store


def shards(source: str, count: int) -> list[Shard]:
    return [
        Shard(source, n, 0, (Input(f"{n}.jsonl", f"{n}.jsonl", 100, f"{n}"),)) for n in range(count)
    ]


def test_a_larger_pilot_has_the_shards_of_a_smaller_one(fresh) -> None:
    recipe = load(fresh)
    planned = shards("beta", 5000)
    before: set[str] = set()
    for share in (0.0, 0.001, 0.01, 0.1, 0.5, 1.0):
        small = recipe.model_copy(update={"pilot": share})
        found = {shard.key for shard in plan._sampled(planned, small)}
        assert before <= found
        expected = max(share * 5000, 1)
        assert abs(len(found) - expected) <= 4 * expected**0.5
        before = found
    assert len(before) == 5000


def test_every_source_and_the_training_shards_are_in_a_pilot(fresh) -> None:
    recipe = load(fresh).model_copy(update={"pilot": 1e-9})
    assert "alpha-00000" in recipe.training_shards
    alpha = {shard.key for shard in plan._sampled(shards("alpha", 40), recipe)}
    assert "alpha-00000" in alpha
    assert len(alpha) <= 2
    assert len(plan._sampled(shards("other", 40), recipe)) == 1


def test_the_whole_run_reuses_a_pilot(curated, fresh, instance) -> None:
    _, _, wanted = curated
    recipe = load(fresh)
    plan.plan(recipe, Store.of(recipe))
    small = pilot.recipe_of(recipe, 0.1)
    done, tried = run(small, instance)
    assert not done.failures
    assert 0 < len(tried.shards) < len(wanted.shards)
    assert tried.store.folders("releases") == ["tiny-pilot"]
    budget = small.mix.phases[0].tokens / recipe.mix.phases[0].tokens
    part = sum(s.bytes for s in tried.shards.values()) / sum(
        s.bytes for s in wanted.shards.values()
    )
    assert budget == pytest.approx(part, rel=1e-3)

    assert manifest(tried.store, "tiny-pilot")["pilot"] == 0.1

    done, whole = graph(fresh, instance)
    assert not done.failures
    assert done.computed["raw"] == len(wanted.shards) - len(tried.shards)
    assert outputs(whole) == outputs(wanted)  # whatever a pilot has computed before
    holders = {file.name: file.needed_by for file in held([recipe])}
    mine = [tried.current("exported", key).name for key in tried.partitions("exported")]
    assert mine
    assert {holders[name] for name in mine} == {""}  # its release holds nothing back from `gc`


def test_what_is_extrapolated(fresh, instance) -> None:
    recipe = load(fresh)
    store = Store.of(recipe)
    plan.plan(recipe, store)
    _, tried = run(pilot.recipe_of(recipe, 0.1), instance, last="duplicates")
    rows = {row.stage: row for row in pilot.extrapolate(instance, recipe, tried)}
    whole = {shard.key: shard for shard in plan.shards(recipe, store)}

    kept = 0.0
    for source in recipe.source_names:
        mine = [s for s in whole.values() if s.source == source]
        sampled = [s for s in mine if s.key in tried.shards]
        found = sum(tried.footer(tried.current("cleaned", s.key))["kept"] for s in sampled)
        kept += found * sum(s.bytes for s in mine) / sum(s.bytes for s in sampled)
    assert rows["cleaned"].kept == pytest.approx(kept)
    raw = [tried.current("raw", key) for key in tried.shards]
    assert rows["raw"].bytes > sum(ref.bytes for ref in raw)
    assert rows["raw"].seconds > 0
    assert rows["deduped"].seconds is None  # not computed
    with dg.DagsterInstance.ephemeral() as elsewhere:
        assert pilot.extrapolate(elsewhere, recipe, tried)[0].seconds is None


def test_seconds_of_the_whole_run_count_for_its_shards(fresh, instance) -> None:
    recipe = load(fresh)
    done, _ = graph(fresh, instance, last="duplicates")
    assert not done.failures
    again, tried = run(pilot.recipe_of(recipe, 0.1), instance, last="duplicates")
    assert set(again.reused) == {"raw", "annotated", "cleaned", "fingerprinted"}
    assert set(again.computed) == {"duplicates"}
    assert pilot.extrapolate(instance, recipe, tried)[0].seconds > 0


def test_the_command(fresh, curate) -> None:
    told = curate("run", fresh, "--pilot", "10%", "--to", "cleaned")
    assert told.exit_code == 0, told.output
    assert "the whole, from 3 of 4 shards" in " ".join(told.stdout.split())
    assert "of input (8" in told.stdout
    assert curate("run", fresh, "--pilot", "10%", "--shards", "alpha-00000").exit_code == 2
    for wrong in ("0", "two", "101%", "-1%"):
        refused = curate("run", fresh, "--pilot", wrong)
        assert refused.exit_code == 2
        assert "is no share" in refused.stderr


def test_a_dry_run_tells_of_new_files(fresh, curate) -> None:
    curate("plan", fresh)
    late = fresh.parent / "corpus" / "beta-9.jsonl.gz"
    late.write_bytes((fresh.parent / "corpus" / "beta-0.jsonl.gz").read_bytes())
    told = curate("run", fresh, "--dry-run")
    assert f"1 new file, {late.stat().st_size:,} bytes, not planned yet" in told.stdout
    assert "not planned yet" not in curate("run", fresh, "--dry-run", "--no-plan").stdout


def test_a_recipe_without_a_pilot_is_what_it_was(fresh) -> None:
    recipe = load(fresh)
    assert digest(recipe.model_copy(update={"pilot": 0.5})) != digest(recipe)
    assert digest(recipe.model_copy(update={"pilot": None})) == digest(recipe)


def run(recipe, instance, last=None):
    instance_.quiet()
    wanted = launch.select(recipe, None, last)
    done = launch.launch(instance, recipe, wanted, None, force=False)
    return done, Lineage(recipe, Store.of(recipe))
