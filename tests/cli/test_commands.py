"""Every command, as a user types it: what it prints, what it exits with, what it says of a mistake."""

import json

import click
import corpus
import polars as pl
import pytest

from curation_dagster.cli import main
from curation_dagster.commands.explain import story
from curation_dagster.lineage import Lineage
from curation_dagster.plan import list_inputs
from curation_dagster.recipe_file import load
from curation_dagster.store import Store


def rejected(lineage: Lineage, stage: str, rule: str) -> str:
    for key in lineage.partitions(stage):
        with lineage.store.fetch(lineage.current(stage, key)) as (path,):
            found = pl.read_parquet(path).filter(pl.col("rejected_by") == rule)
        if found.height:
            return found["doc_id"][0]
    raise LookupError(rule)


def test_every_command_has_a_help_worth_reading(curate):
    for name, command in main.commands.items():
        found = curate(name, "--help")
        assert found.exit_code == 0
        assert command.help
        assert len(command.help) > 40
        assert all(o.help for o in command.params if isinstance(o, click.Option))


def test_check_prints_sources_and_digest(curated, curate):
    found = curate("check", curated[0])
    assert found.exit_code == 0
    assert "source alpha: 2 files" in found.stdout
    assert "14 stages" in found.stdout


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("max_epochs = 2", "max_epoch = 2", ["line ", "max_epoch", "Extra inputs"]),
        ("min_words = 50", 'min_words = "many"', ["min_words", "valid integer", "many"]),
        ("alpha-*.jsonl.gz", "gamma-*.jsonl.gz", ["gamma-*", "no file matches"]),
        ("gopher-2021", "gopher-2022", ["gopher-2022", "gopher-2021"]),
    ],
)
def test_a_wrong_recipe_exits_with_2_and_says_where(fresh, curate, old, new, says):
    fresh.write_text(fresh.read_text().replace(old, new))
    found = curate("check", fresh)
    assert found.exit_code == 2
    for word in [str(fresh) if "gamma" not in new else "alpha", *says]:
        assert word in found.stderr
    assert not (fresh.parent / "store").exists()


def test_a_missing_recipe_says_how_to_make_one(curate):
    found = curate("run", "nothing-there")
    assert found.exit_code == 2
    assert "curate init" in found.stderr


def test_init_writes_a_recipe_that_is_valid(curate, tmp_path):
    corpus.write(tmp_path / "mine")
    found = curate(
        "init", tmp_path / "recipes" / "mine.toml", tmp_path / "mine" / "alpha-*.jsonl.gz"
    )
    assert found.exit_code == 0, found.stderr
    assert curate("check", tmp_path / "recipes" / "mine.toml").exit_code == 0
    again = curate(
        "init", tmp_path / "recipes" / "mine.toml", tmp_path / "mine" / "alpha-*.jsonl.gz"
    )
    assert again.exit_code == 2
    assert "exists" in again.stderr


def test_init_refuses_paths_that_match_nothing(curate, tmp_path):
    found = curate("init", tmp_path / "x.toml", tmp_path / "nothing-*.warc.gz")
    assert found.exit_code == 2
    assert not (tmp_path / "x.toml").exists()


@pytest.mark.parametrize(
    ("files", "globs", "says"),
    [
        pytest.param(["a.warc.gz", "b.warc.gz", "README.md"], ["*.warc.gz"],
                     ["2 WARC files", "not taken: 1 text file"], id="a crawl"),
        pytest.param(["a.warc.gz", "x/b.arc"], ["**/*.arc", "**/*.warc.gz"], ["2 WARC files"], id="folders"),
        pytest.param(["a.warc.wet.gz", "b.warc.wat.gz"], ["*.wet.gz"], ["1 WET file,"], id="WET"),
        pytest.param(["a.parquet", "b.json"], ["*.parquet"], ["not taken: 1 JSONL file"], id="Parquet"),
        pytest.param(["a.jsonl", "b.JSONL.zst"], ["*.JSONL.zst", "*.jsonl"], ["2 JSONL files"], id="JSONL"),
        pytest.param(["a.html", "x/y/b.htm"], ["**/*.htm", "**/*.html"], ["2 HTML files"], id="HTML"),
        pytest.param(["a.txt", ".b.warc", ".x/c.warc"], ["*.txt"], ["1 text file,"], id="hidden files"),
    ],
)  # fmt: skip
def test_init_takes_a_folder_for_the_files_in_it(curate, tmp_path, files, globs, says):
    folder = tmp_path / "data"
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"x")
    found = curate("init", tmp_path / "mine.toml", folder)
    assert found.exit_code == 0, found.stderr
    for word in says:
        assert word in found.stdout
    [source] = load(tmp_path / "mine.toml").sources
    assert source.paths == tuple(f"{folder}/{glob}" for glob in globs)
    taken = [path for path, *_ in list_inputs(source, None)]
    assert len(taken) == int(found.stdout.split(": ")[1].split()[0])


@pytest.mark.parametrize(
    ("files", "says"),
    [([], "there is nothing"), (["a.doc", "b"], "there is .doc (1), no suffix (1)")],
)
def test_init_refuses_a_folder_with_nothing_to_read(curate, tmp_path, files, says):
    (tmp_path / "data").mkdir()
    for file in files:
        (tmp_path / "data" / file).write_bytes(b"x")
    found = curate("init", tmp_path / "mine.toml", tmp_path / "data")
    assert found.exit_code == 2
    assert f"no file to read; {says}" in found.stderr
    assert ".warc" in found.stderr
    assert not (tmp_path / "mine.toml").exists()


def test_plan_run_status_and_a_second_run(fresh, curate):
    assert "4 new shards, 4 in all" in curate("plan", fresh).stdout
    assert "0 new shards, 4 in all" in curate("plan", fresh).stdout
    dry = curate("run", fresh, "--dry-run")
    assert dry.exit_code == 0
    assert "new" in dry.stdout
    assert not (fresh.parent / "store" / "raw").exists()
    done = curate("run", fresh, "--to", "deduped")
    assert done.exit_code == 0, done.stderr
    found = json.loads(curate("status", fresh, "--json").stdout)
    assert [s["current"] for s in found["stages"][:6]] == [4, 4, 4, 4, 1, 4]
    assert [s["current"] for s in found["stages"][6:]] == [0] * 8
    again = curate("run", fresh, "--to", "deduped")
    assert "0 partitions recomputed" in again.stderr
    assert curate("status", fresh, "--verify").exit_code == 0


def test_dry_run_says_what_changed(copied, curate):
    corpus.project(copied.parent, min_words=60)
    found = curate("run", copied, "--dry-run")
    line = next(x for x in found.stdout.splitlines() if "cleaned" in x)
    assert "changed: recipe (steps)" in line
    raw = next(x for x in found.stdout.splitlines() if " raw " in x)
    assert "current" in raw


def test_status_names_damage(copied, curate):
    victim = min((copied.parent / "store" / "scored").glob("beta-00001.*"))
    content = bytearray(victim.read_bytes())
    content[30] ^= 1
    victim.write_bytes(content)
    found = curate("status", copied, "--verify")
    assert found.exit_code == 1
    assert victim.name in found.stdout


def test_funnel_json_conserves(curated, curate):
    found = json.loads(curate("funnel", curated[0], "--json").stdout)
    assert found["recipe"] == "tiny"
    for stage in found["stages"]:
        assert stage["rows_in"] == stage["kept"] + sum(stage["rejected"].values())
        assert isinstance(stage["tokens_kept"], int)
    assert "gopher_min_words 15" in curate("funnel", curated[0]).stdout


def test_sample_shows_rejected_beside_kept(curated, curate):
    found = curate("sample", curated[0], "cleaned", "--rule", "gopher_min_words", "-n", "2")
    assert (
        found.stdout.count(
            "clean.gopher_min_words (gopher_word_count = 6), rule gopher_word_count >= 50"
        )
        == 2
    )
    assert found.stdout.count("  kept") == 2
    assert "Too short to keep" in found.stdout
    unknown = curate("sample", curated[0], "cleaned", "--rule", "nope")
    assert unknown.exit_code == 2
    assert "clean.gopher_min_words" in unknown.stderr


def test_ls_and_cat(curated, curate):
    assert curate("ls", curated[0], "deduped").stdout.count("current") == 4
    rows = [
        json.loads(x)
        for x in curate("cat", curated[0], "raw", "alpha-00000", "-n", "3").stdout.splitlines()
    ]
    assert [r["row"] for r in rows] == [0, 1, 2]
    assert curate("cat", curated[0], "raw", "gamma-00000").exit_code == 2
    assert json.loads(curate("cat", curated[0], "release").stdout)["recipe"] == "tiny"
    assert "auc" in json.loads(curate("cat", curated[0], "classifier").stdout)["metrics"]
    assert len(curate("cat", curated[0], "cleaned", "-n", "100").stdout.splitlines()) == 100


def test_explain_tells_the_rule_the_value_and_the_threshold(curated, curate):
    doc_id = rejected(curated[2], "cleaned", "clean.gopher_min_words")
    found = curate("explain", doc_id, "--recipe", curated[0])
    assert found.exit_code == 0
    assert (
        "gopher_word_count is 6, the rule is gopher_word_count >= 50"
        in found.stdout.splitlines()[-1]
    )


def test_explain_names_the_kept_twin(curated, curate):
    doc_id = rejected(curated[2], "deduped", "dedup.near")
    told = json.loads(curate("explain", doc_id, "--recipe", curated[0], "--json").stdout)
    twin = told["stages"]["deduped"]["duplicate_of"]
    assert twin in told["fate"]
    assert told["stages"]["deduped"]["kept_twin_url"].startswith("https://")
    assert story(curated[2], twin)["fate"].startswith(
        ("shipped", "rejected in mixed", "rejected in decontaminated")
    )


def test_explain_names_the_benchmark_item(curated, curate):
    doc_id = rejected(curated[2], "decontaminated", "decontaminate.exact")
    told = curate("explain", doc_id, "--recipe", curated[0])
    assert "holds bees/bees" in told.stdout
    hits = [
        line.split(maxsplit=1)[1]
        for line in told.stdout.splitlines()
        if line.startswith("    hit ")
    ]
    item = json.loads((curated[0].parent / "corpus/benchmark.jsonl").read_text().splitlines()[0])
    words = item["question"].split()
    told_of = [hit.split(", bytes")[0] for hit in hits]
    assert told_of[:2] == ["bees/bees question, exact 1.000", "bees/bees question, ngrams 1.000"]
    assert [hit.rsplit(" ", 1)[0] for hit in told_of[2:]] == ["bees/bees question, rare_terms"]
    shown = f": {' '.join(words[:3])} [{len(words) - 5} words] {' '.join(words[-2:])}".rstrip("?.")
    assert all(hit.rstrip("?.").endswith(shown) for hit in hits[:2])
    assert item["question"] not in told.stdout, "what a benchmark asks is not spread further"


def test_explain_finds_the_output_file_that_holds_the_document(curated):
    lineage = curated[2]
    key = lineage.partitions("exported")[0]
    ref = lineage.current("exported", key)
    with lineage.store.fetch(ref) as (path,):
        doc_id = pl.read_parquet(path)["doc_id"][0]
    assert any(
        ref.name in output for output in story(lineage, doc_id)["stages"]["exported"]["outputs"]
    )


def test_explain_of_an_unknown_document(curated, curate):
    found = curate("explain", "0000000000000000-1", "--recipe", curated[0])
    assert found.exit_code == 2
    assert "no planned file" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--from", "clean"], "no stage 'clean'"),
        (["run", "--from", "scored", "--to", "raw"], "comes after"),
        (["run", "--shards", "nope-00000"], "no such shards"),
        (["ls", "nope"], "no stage 'nope'"),
    ],
)
def test_wrong_calls_say_so(curated, curate, arguments, says):
    found = curate(arguments[0], curated[0], *arguments[1:])
    assert found.exit_code == 2
    assert says in found.stderr


def test_presets_are_listed_with_their_source(curate):
    assert "gopher-2021" in curate("presets").stdout


def test_recipes_shipped_with_the_project_are_valid():
    from curation_dagster.recipe_file import recipe_folder
    from curation_dagster.scaffold import default_recipe

    for path in recipe_folder().glob("*.toml"):
        assert load(path).name == path.stem
    assert default_recipe().name == "default"


def test_the_release_of_a_recipe_with_a_failing_check_exits_with_3(fresh, curate):
    fresh.write_text(fresh.read_text() + "\n[gates]\nmin_retention = 0.99\n")
    found = curate("run", fresh, "--to", "cleaned")
    assert found.exit_code == 3
    assert "retention" in found.stderr


def test_state_of_a_root_nobody_ran_in(fresh, curate):
    recipe = load(fresh)
    assert Lineage(recipe, Store(recipe.root)).shards == {}
    assert curate("status", fresh).exit_code == 0


def test_a_typo_in_a_source_leaves_no_trace(fresh, curate):
    right = fresh.read_text()
    fresh.write_text(right.replace("beta-*.jsonl.gz", "betta-*.jsonl.gz"))
    assert curate("plan", fresh).exit_code == 2
    assert not (fresh.parent / "store").exists()
    fresh.write_text(right)
    assert "4 new shards, 4 in all" in curate("plan", fresh).stdout


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('quality_key = "gopher_word_count"', 'quality_key = "nope"', "measures 'nope'"),
        ('shards = ["beta-00000"]', 'shards = ["beta-00007"]', "no such shards: ['beta-00007']"),
        ('name = "bees"', 'name = "bees"\nquestion = ["q"]', "no field 'q'"),
    ],
)  # fmt: skip
def test_what_a_stage_would_stumble_over_is_refused_before_any_work(fresh, curate, old, new, says):
    fresh.write_text(fresh.read_text().replace(old, new))
    found = curate("run", fresh)
    assert found.exit_code == 2
    assert says in found.stderr
    assert not (fresh.parent / "store" / "raw").exists()


def test_a_mix_that_gives_nothing_says_so(copied, curate):
    copied.write_text(copied.read_text().replace("tokens = 30000", "tokens = 3"))
    found = curate("run", copied)
    assert found.exit_code == 1
    assert "gives no document a copy" in found.stderr


def test_a_dagster_home_that_cannot_be_written_is_one_message(fresh, curate, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "/proc/no-such-folder")
    found = curate("run", fresh)
    assert found.exit_code == 1
    assert "DAGSTER_HOME" in found.stderr
    assert "Traceback" not in found.stderr


def test_explain_finds_the_recipe_though_another_is_broken(curated, curate, monkeypatch):
    doc_id = rejected(curated[2], "cleaned", "clean.gopher_min_words")
    (curated[0].parent / "aa.toml").write_text("no = [toml")
    monkeypatch.setenv("CURATE_RECIPES", str(curated[0].parent))
    found = curate("explain", doc_id)
    (curated[0].parent / "aa.toml").unlink()
    assert found.exit_code == 0, found.stderr
    assert "gopher_min_words" in found.stdout


def test_check_looks_into_the_first_file(fresh, curate):
    right = fresh.read_text()
    fresh.write_text(right.replace('name = "beta"', 'name = "beta"\ntext_field = "content"'))
    found = curate("check", fresh)
    assert found.exit_code == 2
    assert "no record at the beginning of beta-0.jsonl.gz has the field 'content'" in found.stderr
    fresh.write_text(right.replace('name = "beta"', 'name = "beta"\nurl_field = "address"'))
    assert "note: no url_field 'address'" in curate("check", fresh).stdout
    fresh.write_text(right.replace("corpus/beta-*.jsonl.gz", "tiny.tom[l]"))
    assert "cannot tell the format" in curate("check", fresh).stderr
