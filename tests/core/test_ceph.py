"""The real S3 server of the tests does what the store relies on."""

import pytest
from botocore.exceptions import ClientError

from curation_dagster.store import Store


def test_a_name_is_taken_once(ceph, ceph_bucket):
    client, (_, bucket) = ceph.client(), ceph_bucket
    client.put_object(Bucket=bucket, Key="once", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=bucket, Key="once", Body=b"second", IfNoneMatch="*")
    assert client.get_object(Bucket=bucket, Key="once")["Body"].read() == b"first"


def test_the_store_writes_and_lists(ceph_bucket, tmp_path):
    url, bucket = ceph_bucket
    store = Store(f"s3://{bucket}/root", url)
    (tmp_path / "a.bin").write_bytes(b"content")
    ref = store.publish(tmp_path / "a.bin", "raw", "shard", "0" * 12)
    assert store.refs("raw") == [ref]
    with store.fetch(ref) as [path]:
        assert path.read_bytes() == b"content"
    assert store.create("plan/x.json", b"{}")
    assert not store.create("plan/x.json", b"{}")
