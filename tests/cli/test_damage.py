"""What the commands say of a crawl that is damaged: run, status, sample and apply name the range and its place."""

import gzip
import json

import pytest

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


@pytest.fixture
def crawl(tmp_path):
    """Return a function that writes a crawl of six records, some of them damaged, and its recipe."""

    def write(*damaged: int):
        records = [record(n, "404 Not Found" if n == 5 else "200 OK") for n in range(6)]
        for n in damaged:
            records[n] = records[n][:60] + b"\xff" * 9 + records[n][69:]
        folder = tmp_path / "crawl"
        folder.mkdir()
        (folder / "a.warc.gz").write_bytes(b"".join(records))
        path = tmp_path / "crawl.toml"
        path.write_text(RECIPE, "utf-8")
        sizes = [len(r) for r in records]
        return path, [sum(sizes[:n]) for n in damaged], sum(sizes[n] for n in damaged)

    return write


@pytest.mark.parametrize(
    ("damaged", "much"),
    [([], None), ([2], "1 damaged range, "), ([1, 3], "2 damaged ranges, ")],
)
def test_run_and_status_tell_of_damage(crawl, curate, damaged, much):
    path, places, lost = crawl(*damaged)
    done = curate("run", path, "--to", "raw")
    assert done.exit_code == 0, done.stderr
    shown = curate("status", path).stdout
    found = json.loads(curate("status", path, "--json").stdout)["damaged_inputs"]
    if much is None:
        assert found is None
        assert "damaged range" not in done.stderr + shown
        return
    said = f"raw: {much}{lost:,} bytes; the first at a.warc.gz:{places[0]}: "
    assert said in shown
    assert said in " ".join(done.stderr.split())
    assert (found["ranges"], found["bytes"]) == (len(damaged), lost)
    again = curate("run", path, "--to", "raw")  # nothing is computed, and the damage is still there
    assert much in again.stderr


def test_sample_shows_what_there_is_of_records_without_text(crawl, curate):
    path, [place], _ = crawl(2)
    curate("run", path, "--to", "raw")
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
    crawl(2)
    found = curate("apply", "ingest", tmp_path / "crawl" / "a.warc.gz", tmp_path / "out.parquet")
    assert "1 damaged range, " in found.stderr
    assert (
        "ingest: 6 rows, 4 kept, 2 rejected: damaged 1, http_status 1" in found.stderr.splitlines()
    )
