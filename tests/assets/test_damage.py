"""A damaged crawl file: its account in the footer, the warning in the graph, and the recipe that will not have it."""

import gzip

import pytest
from conftest_graph import curate

from curation_dagster import table
from curation_dagster.job import plan_job, reuse
from curation_dagster.orchestration import checks, report

RECIPE = """
root = "store"

[[sources]]
name = "crawl"
paths = ["crawl/*.warc.gz"]

[[steps]]
edit = "normalize"

[[mix.phases]]
name = "main"
tokens = 1000
weights = { crawl = 1.0 }
"""
PAGE = (
    "<html><body><p>"
    + "The ferries stayed at the quay for eleven weeks. " * 12
    + "</p></body></html>"
)


def record(number: int) -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE.encode()
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/{number}\r\n"
    head += f"Content-Length: {len(block)}\r\n\r\n"
    return gzip.compress(head.encode() + block + b"\r\n\r\n", mtime=0)


@pytest.fixture
def recipe(tmp_path):
    """Write a recipe over a file of six records, the third of them damaged."""
    records = [record(n) for n in range(6)]
    records[2] = records[2][:60] + b"\xff" * 9 + records[2][69:]
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "a.warc.gz").write_bytes(b"".join(records))
    path = tmp_path / "crawl.toml"
    path.write_text(RECIPE, "utf-8")
    return path, len(records[2])


def test_damage_is_a_row_and_a_warning(recipe, instance) -> None:
    path, lost = recipe
    done, lineage = curate(path, instance, last="raw")
    assert done.failures == []
    assert done.failed_checks == []  # it warns
    receipt = reuse(lineage, plan_job(lineage, "raw", "crawl-00000"))
    account = receipt.summary["account"]
    assert account["damaged_ranges"] == 1
    assert account["damaged_bytes"] == lost
    assert account["damaged"][0]["at"].startswith("a.warc.gz:")
    assert account["damaged"][0]["why"]
    passed, shown = checks.undamaged(lineage, "raw", [receipt])
    assert not passed
    assert f"{lost:,} bytes" in shown["damaged"][0]
    assert report.of_partition(receipt)["damaged_bytes"] == lost
    with lineage.store.fetch(receipt.ref) as (file,):
        rows = table.read(file)
    assert rows["rejected_by"].to_list() == [None, None, "ingest.damaged", None, None, None]
    assert rows["record_bytes"].sum() == (path.parent / "crawl" / "a.warc.gz").stat().st_size


def test_a_recipe_may_refuse_damage(recipe, instance) -> None:
    path, _ = recipe
    path.write_text(RECIPE + '\n[ingest]\non_damage = "fail"\n', "utf-8")
    done, lineage = curate(path, instance, last="raw")
    assert len(done.failures) == 1
    assert "a.warc.gz" in str(done.failures)
    assert 'ingest.on_damage is "fail"' in str(done.failures)
    assert lineage.current("raw", "crawl-00000") is None
