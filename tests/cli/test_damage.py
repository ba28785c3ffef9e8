"""What the commands say of a crawl that is damaged: run, status, sample and apply name the range and its place."""

import gzip
import json

import pytest
from click.testing import CliRunner

from curation_dagster.cli import main
from curation_dagster.commands import damage

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
PAGE = f"<title>Quay</title><p>{'The ferries stayed at the quay for eleven weeks. ' * 12}</p>"


def record(number: int, status: str = "200 OK") -> bytes:
    block = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n\r\n{PAGE}".encode()
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/{number}\r\n"
    head += f"Content-Length: {len(block)}\r\n\r\n"
    return gzip.compress(head.encode() + block + b"\r\n\r\n", mtime=0)


@pytest.fixture(scope="module")
def crawl(tmp_path_factory):
    """Write a crawl of six records, the third of them damaged, and run `raw`: (recipe, place, bytes lost, stderr)."""
    folder = tmp_path_factory.mktemp("damaged")
    records = [record(n, "404 Not Found" if n == 5 else "200 OK") for n in range(6)]
    records[2] = records[2][:60] + b"\xff" * 9 + records[2][69:]
    (folder / "crawl").mkdir()
    (folder / "crawl" / "a.warc.gz").write_bytes(b"".join(records))
    path = folder / "crawl.toml"
    path.write_text(RECIPE, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "dagster-home"))
        patch.setenv("COLUMNS", "200")
        done = CliRunner().invoke(main, ["run", str(path), "--to", "raw"])
    assert done.exit_code == 0, done.stderr
    return path, sum(map(len, records[:2])), len(records[2]), done.stderr


def test_run_and_status_tell_of_damage(crawl, curate):
    path, place, lost, stderr = crawl
    said = f"raw: 1 damaged range, {lost:,} bytes; the first at a.warc.gz:{place}: "
    assert said in " ".join(stderr.split())
    assert said in curate("status", path).stdout
    found = json.loads(curate("status", path, "--json").stdout)["damaged_inputs"]
    assert (found["ranges"], found["bytes"], found["first"]["bytes"]) == (1, lost, lost)


def test_there_is_nothing_to_tell_where_nothing_is_damaged(curated, curate):
    assert "damaged range" not in curate("status", curated[0]).stdout
    assert json.loads(curate("status", curated[0], "--json").stdout)["damaged_inputs"] is None


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ([[]], None),
        ([[], [1]], "1 damaged range, 1 byte; the first at f1:0: why"),
        ([[3, 4], [1000]], "3 damaged ranges, 1,007 bytes; the first at f0:0: why"),
    ],
)
def test_accounts_are_summed(sizes, says):
    accounts = [
        {
            "damaged_ranges": len(each),
            "damaged_bytes": sum(each),
            "damaged": [{"at": f"f{n}:{i}", "bytes": b, "why": "why"} for i, b in enumerate(each)],
        }
        for n, each in enumerate(sizes)
    ]
    found = damage.summed(accounts)
    assert (found and damage.told(found)) == says


def test_sample_shows_what_there_is_of_records_without_text(crawl, curate):
    path, place, *_ = crawl
    shown = curate("sample", path, "raw", "-n", "6").stdout
    assert "ingest.damaged: " in shown
    assert f"locator a.warc.gz:{place}" in shown
    assert "ingest.http_status\n    url http://a.example/5" in shown
    assert "http status 404" in shown
    kept = PAGE.removeprefix("<title>Quay</title><p>")[:200]
    assert shown.count(f"title Quay\n    {kept}…") == 4
    one = curate("sample", path, "raw", "--rule", "http_status", "-n", "1").stdout
    assert "ingest.damaged" not in one
    assert one.count("http://a.example/") == 2


def test_apply_tells_of_damage_and_of_what_came_of_it(crawl, curate, tmp_path):
    source = crawl[0].parent / "crawl" / "a.warc.gz"
    found = curate("apply", "ingest", source, tmp_path / "out.parquet")
    assert "1 damaged range, " in found.stderr
    told = "ingest: 6 rows, 4 kept, 2 rejected: damaged 1, http_status 1"
    assert told in found.stderr.splitlines()
