"""The whole graph with its root on S3 (moto's server and Ceph's) gives the files it gives on a local disk."""

import dataclasses
import logging

import boto3
import corpus
import faulty
import polars as pl
import pytest
from conftest_graph import curate, outputs
from moto.server import ThreadedMotoServer

from curation_dagster import faults
from curation_dagster.commands import erase, space, whereabouts


@pytest.fixture
def endpoint(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket="corpus")
    yield url
    server.stop()


def on_s3(recipe, url, bucket):
    """Let a recipe's root be on S3."""
    place = f'root = "s3://{bucket}/store"\nendpoint_url = "{url}"'
    recipe.write_text(recipe.read_text().replace('root = "store"', place))


@pytest.fixture(params=["moto", pytest.param("ceph", id="ceph")])
def place(request):
    """Give (client, endpoint, bucket) of a server."""
    if request.param == "moto":
        url = request.getfixturevalue("endpoint")
        return boto3.client("s3", endpoint_url=url), url, "corpus"
    url, bucket = request.getfixturevalue("ceph_bucket")
    return request.getfixturevalue("ceph").client(), url, bucket


@pytest.mark.parametrize("last", ["cleaned", pytest.param("release", marks=pytest.mark.slow)])
def test_the_graph_on_s3_gives_the_files_of_a_local_disk(curated, fresh, instance, place, last):
    client, url, bucket = place
    on_s3(fresh, url, bucket)
    done, lineage = curate(fresh, instance, last=last)
    assert done.failures == []
    assert done.failed_checks == []
    found = {name: output for name, output in outputs(lineage).items() if output != "missing"}
    assert any(name.startswith(last) for name in found)
    assert found.items() <= outputs(curated[2]).items()
    again, _ = curate(fresh, instance, last=last)
    assert again.computed == {}
    keys = [o["Key"] for o in client.list_objects_v2(Bucket=bucket, Prefix="store/")["Contents"]]
    assert ("store/releases/tiny/manifest.json" in keys) == (last == "release")
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        pytest.param("lost", "annotated"),
        *(pytest.param(kind, "release", marks=pytest.mark.slow) for kind in faulty.KINDS),
    ],
)
def test_the_graph_behind_a_bad_line(
    curated, fresh, instance, ceph_bucket, monkeypatch, kind, last
):
    logging.getLogger("curation_dagster.faults").setLevel(logging.ERROR)
    patience = dataclasses.replace(faults.PATIENCE, silence_s=2, first_wait_s=0.02)
    monkeypatch.setattr(faults, "PATIENCE", patience)
    url, bucket = ceph_bucket
    with faulty.before(url) as line:
        line.never_s = 2.5
        on_s3(fresh, line.url, bucket)
        line.inject(kind, seed=1, rate=0.1)
        done, lineage = curate(fresh, instance, last=last)
        assert line.spoiled.total() > 5
        assert done.failures == []
        found = {name: output for name, output in outputs(lineage).items() if output != "missing"}
    assert found.items() <= outputs(curated[2]).items()
    assert done.computed[last] == sum(name.startswith(f"{last}/") for name in found)


def test_a_text_is_erased_on_s3(fresh, instance, endpoint, tmp_path):
    text = fresh.read_text().replace(
        'root = "store"', f'root = "s3://corpus/store"\nendpoint_url = "{endpoint}"'
    )
    fresh.write_text(text)
    _, lineage = curate(fresh, instance, last="annotated")
    (tmp_path / "named.txt").write_text(corpus.prose(7))
    asked = whereabouts.request(tmp_path / "named.txt", None, None)
    found = whereabouts.search(lineage, asked, copies=True)
    assert len(found.documents) == 1
    done = erase.erase(lineage, found)
    assert [name.split("/")[0] for name in done["replaced"]] == ["raw"]
    client = boto3.client("s3", endpoint_url=endpoint)
    keys = [o["Key"] for o in client.list_objects_v2(Bucket="corpus", Prefix="store/")["Contents"]]
    tables = [key for key in keys if key.endswith(".parquet")]
    assert tables
    for key in tables:
        body = client.get_object(Bucket="corpus", Key=key)["Body"].read()
        assert corpus.prose(7)[:60] not in str(pl.read_parquet(body).to_dicts())
    again, lineage = curate(fresh, instance, last="annotated")
    assert again.computed == {"annotated": 1}
    assert erase.holding(lineage) == {}


def test_gc_drops_uploads_that_nobody_finished(fresh, instance, endpoint, capsys):
    on_s3(fresh, endpoint, "corpus")
    _, lineage = curate(fresh, instance, last="raw")
    client = boto3.client("s3", endpoint_url=endpoint)
    for key in ("store/raw/left", "store2/raw/other"):
        client.create_multipart_upload(Bucket="corpus", Key=key)  # moto says: in 2010
    for yes, left in ((False, 2), (True, 1)):
        space.gc(lineage.recipe, fresh, keep_days=7, yes=yes)
        assert len(client.list_multipart_uploads(Bucket="corpus")["Uploads"]) == left
    assert "dropped 1 upload that nobody finished" in capsys.readouterr().out
    assert outputs(lineage, "raw") == outputs(curate(fresh, instance, last="raw")[1], "raw")
