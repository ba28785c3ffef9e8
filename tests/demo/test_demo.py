"""The demo, small: a real crawl through the real recipe; every planted benchmark item is found and none ships."""

import json
from pathlib import Path

import dagster as dg
import pytest
from conftest_graph import curate

from curation_dagster import table
from curation_dagster.demo.crawl import capture

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.slow
def test_the_demo_finds_every_planted_item(tmp_path):
    capture(tmp_path / "data" / "demo-crawl")
    (tmp_path / "recipes").mkdir()
    for name in ("demo.toml", "demo-benchmark.jsonl"):
        (tmp_path / "recipes" / name).write_text((RECIPES / name).read_text("utf-8"), "utf-8")
    with dg.DagsterInstance.ephemeral() as instance:
        done, lineage = curate(tmp_path / "recipes" / "demo.toml", instance)
    assert done.failures == []
    assert done.failed_checks == []
    items = [
        json.loads(line)
        for line in (RECIPES / "demo-benchmark.jsonl").read_text("utf-8").splitlines()
    ]
    planted = {f"demo-benchmark/{item['id']}" for item in items if item["planted"]}
    found = {
        f"{benchmark}/{item}"
        for k in lineage.shards
        for benchmark, methods in lineage.footer(lineage.current("scanned", k))["found"].items()
        for items_ in methods.values()
        for item in items_
    }
    assert found == planted
    rephrased = set()  # what documents hold that no n-gram tells
    for key in lineage.shards:
        with lineage.store.fetch(lineage.current("scanned", key)) as (path,):
            for hits in table.read(path, ["hits"])["hits"].to_list():
                if {hit["method"] for hit in hits} == {"rare_terms"}:
                    rephrased |= {f"{hit['benchmark']}/{hit['item']}" for hit in hits}
    assert rephrased == planted
    assert lineage.footer(lineage.current("release", "all"))["audit"]["passed"]
