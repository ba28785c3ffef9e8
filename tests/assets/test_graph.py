"""The graph runs from JSONL to release, reuses what is current, and recomputes exactly what a change touches."""

import json
import subprocess
import sys
from pathlib import Path

import corpus
import dagster as dg
import polars as pl
import pytest
from conftest_graph import curate, outputs

from curation_dagster import table
from curation_dagster.funnel import funnel
from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import Store

ROOT = Path(__file__).parents[2]


def test_every_stage_is_materialized_and_every_check_passes(curated):
    _, done, lineage = curated
    assert done.failed_checks == []
    assert "missing" not in outputs(lineage).values()
    assert sum(done.computed.values()) == len(outputs(lineage))


def test_funnel_conserves_documents(curated):
    found = funnel(curated[2])
    for stage in found["stages"]:
        assert stage["rows_in"] == stage["kept"] + sum(stage["rejected"].values())
    for before, after in zip(found["stages"], found["stages"][1:], strict=False):
        assert before["kept"] == after["rows_in"]
    by_name = {s["stage"]: s for s in found["stages"]}
    assert by_name["raw"]["rejected"] == {"ingest.malformed": 2}
    assert by_name["cleaned"]["rejected"]["clean.gopher_min_words"] == 15
    assert by_name["deduped"]["rejected"]["dedup.exact"] >= 4
    assert set(by_name["decontaminated"]["rejected"]) == {"decontaminate.exact"}


def test_a_second_run_computes_nothing(curated, instance):
    before = outputs(curated[2])
    done, lineage = curate(curated[0], instance)
    assert done.computed == {}
    assert sum(done.reused.values()) == len(before)
    assert outputs(lineage) == before


def test_a_changed_threshold_reuses_raw_and_annotated(copied, instance):
    folder = copied.parent
    files = {
        s: sorted(p.name for p in (folder / "store" / s).iterdir()) for s in ("raw", "annotated")
    }
    stricter = corpus.project(folder, name="stricter", min_words=250)
    done, lineage = curate(stricter, instance, last="deduped")
    assert {"raw", "annotated"} & set(done.computed) == set()
    assert done.computed["cleaned"] == 4
    assert files == {s: sorted(p.name for p in (folder / "store" / s).iterdir()) for s in files}
    kept = [lineage.footer(r)["kept"] for r in _current(lineage, "cleaned")]
    assert sum(kept) < sum(
        Lineage(load(copied), lineage.store).footer(r)["kept"] for r in _files_of(copied)
    )


def test_a_threshold_that_changes_no_verdict_stops_recomputation_below(copied, instance):
    same = corpus.project(copied.parent, name="same", min_words=49)
    done, _ = curate(same, instance)
    assert done.computed == {"cleaned": 4, "release": 1}


def test_going_back_to_the_old_recipe_costs_nothing(copied, instance):
    corpus.project(copied.parent, min_words=250)
    curate(copied, instance, last="cleaned")
    corpus.project(copied.parent)
    done, _ = curate(copied, instance)
    assert done.computed == {}


def test_force_computes_again_and_gives_the_same_bytes(copied, instance):
    before = outputs(Lineage(load(copied), Store(load(copied).root)))
    done, lineage = curate(copied, instance, last="cleaned", force=True)
    assert done.computed == {"raw": 4, "annotated": 4, "cleaned": 4}
    assert outputs(lineage) == before


def test_a_damaged_file_is_refused_by_name_and_nothing_else_is_lost(copied, instance):
    folder = copied.parent / "store" / "raw"
    victim = min(folder.glob("alpha-00001.*"))
    victim.write_bytes(victim.read_bytes()[:-200])
    before = sorted(p.name for p in (copied.parent / "store").rglob("*.parquet"))
    done, _ = curate(copied, instance, last="cleaned")
    assert len(done.failures) == 1
    assert victim.name in done.failures[0]
    assert "alpha-00000" not in done.failures[0]
    assert sorted(p.name for p in (copied.parent / "store").rglob("*.parquet")) == before
    victim.unlink()
    done, lineage = curate(copied, instance, last="cleaned")
    assert not done.failures
    assert done.computed == {"raw": 1}
    assert "missing" not in outputs(lineage, "raw", "annotated", "cleaned").values()


def test_a_flipped_byte_is_found_when_the_file_is_read(copied, instance):
    victim = min((copied.parent / "store" / "annotated").glob("beta-00000.*"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 3] ^= 0x40
    victim.write_bytes(content)
    corpus.project(copied.parent, min_words=60)
    done, _ = curate(copied, instance, first="cleaned", last="cleaned")
    assert len(done.failures) == 1
    assert victim.name in done.failures[0]
    assert "damaged" in done.failures[0]
    assert done.computed == {"cleaned": 3}


def test_one_failing_shard_leaves_the_others_committed(fresh, instance):
    bad = fresh.parent / "corpus" / "alpha-1.jsonl.gz"
    recipe = load(fresh)
    from curation_dagster import plan

    plan.plan(recipe, Store(recipe.root))
    content = bad.read_bytes()
    bad.write_bytes(content[:-9] + bytes(9))  # the same size, other bytes
    done, lineage = curate(fresh, instance, last="annotated")
    assert len(done.failures) == 1
    assert "alpha-00001" in done.failures[0]
    assert "changed after planning" in done.failures[0]
    assert done.computed == {"raw": 3}
    bad.write_bytes(content)
    done, lineage = curate(fresh, instance, last="annotated")
    assert not done.failures
    assert done.computed["raw"] == 1
    assert "missing" not in outputs(lineage, "raw", "annotated").values()


def test_shards_and_stages_can_be_chosen(fresh, instance):
    done, _ = curate(fresh, instance, last="annotated", shards=["beta-00001", "alpha-00000"])
    assert done.computed == {"raw": 2, "annotated": 2}
    assert len(done.runs) == 2  # two ranges in plan order
    done, _ = curate(fresh, instance, last="annotated")
    assert done.computed == {"raw": 2, "annotated": 2}
    assert done.reused == {"raw": 2, "annotated": 2}


def test_two_recipes_share_files_up_to_where_they_differ(copied, instance):
    text = copied.read_text().replace("tokens = 30000", "tokens = 20000")
    other = copied.with_name("other.toml")
    other.write_text(text)
    done, _ = curate(other, instance)
    assert set(done.computed) == {"mixture", "mixed", "decontaminated", "exported", "release"}


def test_a_new_file_becomes_a_new_shard_and_old_ones_are_reused(copied, instance):
    import gzip

    lines = [
        json.dumps({"text": corpus.prose(n), "url": f"https://c.test/{n}"}) for n in range(300, 330)
    ]
    lines.append(json.dumps({"text": corpus.prose(3), "url": "https://c.test/copy"}))
    new = copied.parent / "corpus" / "alpha-2.jsonl.gz"
    new.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    done, lineage = curate(copied, instance, last="deduped")
    assert not done.failures
    assert {
        s: done.computed[s] for s in ("raw", "annotated", "cleaned", "fingerprinted")
    } == dict.fromkeys(("raw", "annotated", "cleaned", "fingerprinted"), 1)
    assert lineage.shards["alpha-00002"].generation == 1
    ref = lineage.current("deduped", "alpha-00002")
    with lineage.store.fetch(ref) as (path,):
        assert table.read(path)["rejected_by"].to_list().count("dedup.exact") == 1


def test_planted_benchmark_items_are_found_and_do_not_ship(curated):
    lineage = curated[2]
    hits = pl.concat([_read(lineage, r) for r in _current(lineage, "scanned")])
    assert hits.filter(pl.col("hits").list.len() > 0).height == 4
    shipped = pl.concat([_read(lineage, r) for r in _current(lineage, "exported")])
    assert shipped.filter(pl.col("text").str.contains("beekeeper")).height == 0


def test_personal_data_is_masked_in_what_ships(curated):
    shipped = pl.concat([_read(curated[2], r) for r in _current(curated[2], "exported")])
    assert shipped.filter(pl.col("text").str.contains("@harbour.org")).height == 0
    assert shipped.filter(pl.col("text").str.contains("@example.com")).height > 0


def test_release_folder_holds_manifest_card_funnel_and_jsonl(curated):
    folder = curated[0].parent / "store" / "releases" / "tiny"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["audit"]["passed"]
    assert manifest["rows"] == sum(f["rows"] for f in manifest["files"])
    assert len(list((folder / "jsonl").iterdir())) == len(manifest["files"])
    assert "## What was removed" in (folder / "README.md").read_text()
    import hashlib

    for file in manifest["files"]:
        content = (curated[0].parent / "store" / file["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]


@pytest.mark.usefixtures("curated")
def test_events_say_computed_or_reused_per_partition(instance):
    found = instance.fetch_materializations(dg.AssetKey(["tiny", "raw"]), limit=500).records
    seen = {
        (r.partition_key, bool(r.asset_materialization.metadata["computed"].value)) for r in found
    }
    assert {key for key, computed in seen if computed} >= {
        "alpha-00000", "alpha-00001", "beta-00000", "beta-00001",
    }  # fmt: skip
    metadata = found[0].asset_materialization.metadata
    assert {"rows", "kept", "file_bytes", "file", "run_table"} <= set(metadata)


@pytest.mark.usefixtures("curated")
def test_run_metadata_holds_a_table_and_a_histogram(instance):
    record = instance.fetch_materializations(dg.AssetKey(["tiny", "annotated"]), limit=500).records[
        -1
    ]
    metadata = record.asset_materialization.metadata
    assert "| partition | rows |" in metadata["run_table"].value
    assert "data:image/svg+xml;base64," in metadata["histogram_gopher_word_count"].value


@pytest.mark.parametrize(
    "command", ["dg check defs", "dagster definitions validate -w workspace.yaml"]
)
def test_definitions_load(command, tmp_path):
    program, *arguments = command.split()
    found = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=ROOT,
        env={
            "PATH": str(Path(sys.executable).parent),
            "HOME": str(tmp_path),
            "DAGSTER_HOME": _home(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_broken_recipe_is_a_failing_check_and_the_others_load(fresh):
    from curation_dagster.orchestration.graph import definitions

    broken = fresh.with_name("broken.toml")
    broken.write_text(fresh.read_text().replace("max_epochs = 2", "max_epoch = 2"))
    defs = definitions([fresh, broken])
    keys = {k.to_user_string() for k in defs.resolve_all_asset_keys()}
    assert "tiny/release" in keys
    assert "broken/recipe" in keys
    check = next(iter(defs.asset_checks or []))
    assert "max_epoch" in str(
        next(iter(check.node_def.compute_fn.decorated_fn().metadata.values()))
    )


def test_the_library_does_not_import_dagster():
    code = (
        "import sys, importlib, pkgutil, curation_dagster as c\n"
        "for m in pkgutil.walk_packages(c.__path__, 'curation_dagster.'):\n"
        "    if m.name.split('.')[1] not in {'orchestration', 'definitions', 'cli', 'commands'} "
        "and not m.name.endswith(('_kernel', '.compiled')) and 'demo' not in m.name: importlib.import_module(m.name)\n"
        "assert 'dagster' not in sys.modules, 'dagster'\n"
        "assert 'numba' not in sys.modules, 'numba'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _home(folder: Path) -> str:
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return str(home)


def _current(lineage: Lineage, stage: str):
    return [r for key in lineage.partitions(stage) if (r := lineage.current(stage, key))]


def _files_of(path: Path):
    recipe = load(path)
    return _current(Lineage(recipe, Store(recipe.root)), "cleaned")


def _read(lineage: Lineage, ref) -> pl.DataFrame:
    with lineage.store.fetch(ref) as (path,):
        return table.read(path)


def test_the_release_says_what_the_stages_say_now(copied, instance):
    import gzip

    line = json.dumps({"text": "Too short.", "url": "https://d.test/1"}).encode()
    (copied.parent / "corpus" / "beta-9.jsonl.gz").write_bytes(gzip.compress(line, mtime=0))
    done, lineage = curate(copied, instance)
    assert not done.failures
    manifest = json.loads(
        (copied.parent / "store" / "releases" / "tiny" / "manifest.json").read_text()
    )
    assert manifest["funnel"] == funnel(lineage)["stages"]
    assert manifest["funnel"][0]["rows_in"] == 203


def test_shards_of_an_earlier_mixture_leave_the_release(copied, instance):
    rendered = copied.parent / "store" / "releases" / "tiny" / "jsonl"
    before = {p.name for p in rendered.iterdir()}
    copied.write_text(copied.read_text().replace("tokens = 30000", "tokens = 9000"))
    done, lineage = curate(copied, instance)
    assert not done.failures
    assert {p.name for p in rendered.iterdir()} == {
        f"{k}.jsonl.zst" for k in lineage.partitions("exported")
    }
    assert len(before) > len(list(rendered.iterdir()))


def test_a_classifier_can_be_trained_on_files_alone(copied, instance):
    for name, words in (("good", "careful honest prose"), ("plain", "buy cheap now")):
        lines = [json.dumps({"text": f"{words} {n} {words}"}) for n in range(40)]
        (copied.parent / f"{name}.jsonl").write_text("\n".join(lines))
    text = copied.read_text().replace(
        '{ shards = ["alpha-00000"] }', '{ files = [{ path = "good.jsonl" }] }'
    )
    copied.write_text(
        text.replace('{ shards = ["beta-00000"] }', '{ files = [{ path = "plain.jsonl" }] }')
    )
    done, lineage = curate(copied, instance, first="classifier", last="classifier")
    assert done.computed == {"classifier": 1}
    assert lineage.footer(lineage.current("classifier", "all"))["metrics"]["auc"] == 1.0


def test_a_recipe_that_keeps_duplicates_can_be_released(copied, instance):
    copied.write_text(copied.read_text().replace("[dedup]", "[dedup]\nexact = false\nnear = false"))
    done, lineage = curate(copied, instance)
    assert done.failed_checks == []
    audit = lineage.footer(lineage.current("release", "all"))["audit"]
    assert audit["duplicates_allowed"]
    assert audit["passed"]
