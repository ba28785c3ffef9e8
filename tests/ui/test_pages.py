"""What the UI shows in a real browser: lineage, partitions, failed checks, histograms; and what can be done there."""

import re
import subprocess
import sys

import corpus
import pytest
from conftest_graph import curate
from dagster_pages import Pages, browsing, environment, serving, workspace
from services import program

from curation_dagster.funnel import top_reasons
from curation_dagster.lineage import Lineage
from curation_dagster.orchestration import instance as instance_
from curation_dagster.recipe_file import load
from curation_dagster.store import Store

RIGHT_EDGE_IS_SEEN = """i => {
    const box = i.getBoundingClientRect();
    return document.elementFromPoint(box.right - 2, box.top + 80) === i;
}"""
BAND = "\n[gates]\nmin_retention = 0.99\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose recipe keeps less than its band allows, curated to `cleaned`: its folder."""
    program("chromium", "chromium")
    folder = tmp_path_factory.mktemp("project")
    recipe = corpus.project(folder / "recipes")
    recipe.write_text(recipe.read_text("utf-8") + BAND, "utf-8")
    workspace(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / ".dagster"))
        with instance_.instance(folder) as instance:
            done, _ = curate(recipe, instance, last="cleaned")
    assert [failed.split(": ")[1] for failed in done.failed_checks] == ["retention"]
    return folder


@pytest.fixture(scope="module")
def page():
    with browsing(program("chromium", "chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def looked(project, page):
    """The pages of a read-only server."""
    with serving(project, "--read-only") as url:
        yield Pages(page, url)


@pytest.fixture(scope="module")
def used(project, page):
    """The pages of a server that launches runs, with its daemon."""
    with serving(project) as url:
        yield Pages(page, url)


def backfill(folder, url, *options: str) -> subprocess.CompletedProcess:
    command = [
        sys.executable,
        "-m",
        "curation_dagster.cli",
        "backfill",
        "tiny",
        "--url",
        url,
        *options,
    ]
    return subprocess.run(
        command, env=environment(folder), capture_output=True, text=True, check=False
    )  # fmt: skip


def test_the_graph_of_a_recipe_is_drawn(looked):
    looked.lineage("tiny", "release")
    drawn = looked.page.inner_text("body").split()
    assert {"raw", "annotated", "cleaned", "deduped", "exported", "release"} <= set(drawn)


def test_a_failed_check_says_why(looked, project):
    looked.check("tiny", "cleaned", "retention")
    recipe = load(project / "recipes" / "tiny.toml")
    lineage = Lineage(recipe, Store.of(recipe))
    footers = [lineage.footer(lineage.current("cleaned", key)) for key in lineage.shards]
    rows = sum(f["rows"] for f in footers)
    share = sum(f["kept"] for f in footers) / rows
    looked.shown(f"keeps {share:.1%} of {rows} documents, 99.0% to 100.0% allowed", whole=False)
    assert (
        looked.page.get_by_text("Failed", exact=True).count() == 2
    )  # in the list, and as the result


def test_a_partition_tells_its_file_and_why_documents_went(looked, project):
    recipe = load(project / "recipes" / "tiny.toml")
    lineage = Lineage(recipe, Store.of(recipe))
    refs = {key: lineage.current("cleaned", key) for key in lineage.shards}
    key = max(refs, key=lambda k: sum(lineage.footer(refs[k])["rejected"].values()))
    footer = lineage.footer(refs[key])
    looked.partition("tiny", "cleaned", key)
    shown = looked.page.get_by_role("table").first.inner_text().split()
    assert shown[:2] == ["file", refs[key].name]  # the partition's own first, then the run's
    told = " ".join(shown)
    assert f"rows {footer['rows']} kept {footer['kept']} " in told
    assert all(f"{rule}: {count}" in told for rule, count in top_reasons(footer, 5))


def test_metadata_shows_a_table_of_partitions_and_a_histogram_that_is_a_picture(looked):
    looked.hide_navigation()
    table = looked.metadata("tiny", "annotated", "run_table")
    assert re.search(r"alpha-00000\s+\d+\s+\d+", table.inner_text())
    row = looked.metadata("tiny", "annotated", "histogram_gopher_word_count")
    picture = row.get_by_alt_text("gopher_word_count")
    assert picture.evaluate("i => i.decode().then(() => [i.naturalWidth, i.naturalHeight])") == [
        352,
        160,
    ]
    assert picture.evaluate(RIGHT_EDGE_IS_SEEN)


def test_read_only_launches_nothing(looked, project):
    looked.partition("tiny", "cleaned", "alpha-00000")
    assert looked.page.get_by_role("button", name="Materialize").first.is_disabled()
    refused = backfill(project, looked.url, "--to", "fingerprinted")
    assert refused.returncode == 1
    assert "read-only" in refused.stderr


@pytest.mark.slow
def test_a_partition_is_materialized_from_its_page(used, project):
    used.partition("tiny", "fingerprinted", "beta-00001", "No metadata entries")
    used.choose()
    used.launch()
    recipe = load(project / "recipes" / "tiny.toml")
    lineage = Lineage(recipe, Store.of(recipe))
    states = {key: lineage.state("fingerprinted", key) for key in lineage.shards}
    assert states == {k: "current" if k == "beta-00001" else "missing" for k in states}
    used.partition("tiny", "fingerprinted", "beta-00001")


@pytest.mark.slow
def test_a_backfill_of_curate_has_a_page(used, project):
    done = backfill(project, used.url, "--to", "fingerprinted", "--wait")
    assert done.returncode == 0, done.stderr
    identity = re.search(r"/runs/b/(\w+)", done.stdout)[1]
    used.backfill(identity)
    used.shown("Succeeded")
    for stage in ("raw", "annotated", "cleaned", "fingerprinted"):
        used.shown(f"tiny / {stage}")
    assert used.page.get_by_text("100% completed").count() == 4
