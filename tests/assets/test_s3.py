"""The whole graph with its root on S3 (moto's server on loopback) gives the files it gives on a local disk."""

import boto3
import corpus
import polars as pl
import pytest
from conftest_graph import curate, outputs
from moto.server import ThreadedMotoServer

from curation_dagster.commands import erase, whereabouts


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


@pytest.mark.parametrize("last", ["cleaned", pytest.param("release", marks=pytest.mark.slow)])
def test_the_graph_on_s3_gives_the_files_of_a_local_disk(curated, fresh, instance, endpoint, last):
    text = fresh.read_text().replace(
        'root = "store"', f'root = "s3://corpus/store"\nendpoint_url = "{endpoint}"'
    )
    fresh.write_text(text)
    done, lineage = curate(fresh, instance, last=last)
    assert done.failures == []
    assert done.failed_checks == []
    found = {name: output for name, output in outputs(lineage).items() if output != "missing"}
    assert any(name.startswith(last) for name in found)
    assert found.items() <= outputs(curated[2]).items()
    again, _ = curate(fresh, instance, last=last)
    assert again.computed == {}
    client = boto3.client("s3", endpoint_url=endpoint)
    keys = [o["Key"] for o in client.list_objects_v2(Bucket="corpus", Prefix="store/")["Contents"]]
    assert ("store/releases/tiny/manifest.json" in keys) == (last == "release")
    assert client.list_multipart_uploads(Bucket="corpus").get("Uploads", []) == []


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
