"""What only S3 can do wrong: uploads that break, servers that refuse, secrets in errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import s3fs
from botocore.exceptions import ClientError

from curation_dagster.errors import IntegrityError, StorageError
from curation_dagster.store import Ref, Store
from tests.core.conftest import SECRET

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.core.conftest import S3

DIGEST = "0123456789ab"
PART = 5 << 20  # the smallest S3 allows
BIG = 2 * PART


def publish(store: Store, size: int = 1000) -> Ref:
    with store.scratch() as folder:
        draft = folder / "draft.parquet"
        with draft.open("wb") as stream:
            stream.truncate(size)
        return store.publish(draft, "raw", "web-00000", DIGEST)


def failing(call: str, error: Exception, times: int = 10**6) -> Callable[..., Awaitable[Any]]:
    """Give an `_call_s3` that lets `call` fail; the server is the real one."""
    real, left = s3fs.S3FileSystem._call_s3, [times]

    async def call_s3(self: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == call and left[0]:
            left[0] -= 1
            raise error
        return await real(self, method, *args, **kwargs)

    return call_s3


def uploads(store: Store) -> list[Any]:
    found: dict[str, Any] = store.fs.call_s3(
        "list_multipart_uploads", Bucket=store.root.split("/")[2]
    )
    return list(found.get("Uploads", []))


@pytest.mark.parametrize(
    ("call", "size"),
    [
        pytest.param("put_object", 1000, id="one upload"),
        pytest.param("create_multipart_upload", BIG, id="first of several"),
        pytest.param("upload_part", BIG, id="a part"),
        pytest.param("complete_multipart_upload", BIG, id="the last word"),
    ],
)
def test_a_broken_upload_leaves_nothing(
    call: str, size: int, s3_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3fs.core, "calculate_chunksize", lambda *_, **__: PART)
    with monkeypatch.context() as patch:
        patch.setattr(
            s3fs.S3FileSystem, "_call_s3", failing(call, ConnectionError("line went dead"))
        )
        with pytest.raises(StorageError, match=rf"raw/web-00000\.{DIGEST}.*line went dead"):
            publish(s3_store, size)
    assert s3_store.names("raw") == []
    assert uploads(s3_store) == []
    assert list((tmp_path / "curation-scratch").iterdir()) == []
    ref = publish(s3_store, size)
    assert s3_store.refs("raw") == [ref]


@pytest.mark.parametrize("call", ["get_object", "head_object"])
def test_a_broken_download_is_no_damage(
    call: str, s3_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = publish(s3_store)
    broken = failing(call, ConnectionError("line went dead"))
    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", broken)
    s3_store.fs.invalidate_cache()
    reader = s3_store.fetch if call == "get_object" else s3_store.open
    with pytest.raises(StorageError, match=rf"{ref.name}.*line went dead"), reader(ref):
        pass
    assert list((tmp_path / "curation-scratch").iterdir()) == []


def test_a_short_download_is_refused(s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = publish(s3_store)

    def get_half(_remote: str, local: str) -> None:
        with Path(local).open("wb") as stream:
            stream.truncate(500)

    monkeypatch.setattr(s3_store.fs, "get_file", get_half)
    with pytest.raises(IntegrityError, match=ref.name), s3_store.fetch(ref):
        pass


@pytest.mark.parametrize("condition", [{"Condition": "If-None-Match"}, {}])
def test_a_taken_name_is_no_failure_on_any_server(
    condition: dict[str, str], s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert s3_store.create("plan/a.json", b"x") is True
    said = {"Error": {"Code": "PreconditionFailed", "Message": "did not hold", **condition}}
    refusal = s3fs.core.translate_boto_error(ClientError(said, "PutObject"))
    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", failing("put_object", refusal))
    assert s3_store.create("plan/a.json", b"x") is False


def test_a_refused_create_is_no_lost_race(s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = PermissionError(13, "Access Denied")
    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", failing("put_object", refusal))
    with pytest.raises(StorageError, match=r"plan/a\.json.*Access Denied"):
        s3_store.create("plan/a.json", b"x")


USES: list[Any] = [
    pytest.param(lambda store: store.refs("raw"), id="refs"),
    pytest.param(lambda store: store.create("plan/a.json", b"x"), id="create"),
    pytest.param(lambda store: store.read("plan/a.json"), id="read"),
    pytest.param(publish, id="publish"),
    pytest.param(lambda store: store.replace("r/card.md", Path(__file__)), id="replace"),
    pytest.param(lambda s: s.fetch(Ref("raw", "a", DIGEST, DIGEST)).__enter__(), id="fetch"),
    pytest.param(lambda s: s.open(Ref("raw", "a", DIGEST, DIGEST)).__enter__(), id="open"),
]


@pytest.fixture
def nowhere(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Give a root whose server does not answer."""
    import botocore.httpsession  # noqa: F401 - the error is made by the client library

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert s3.url
    return Store("s3://bucket/root", "http://127.0.0.1:9")


@pytest.mark.parametrize("use", USES)
def test_a_server_that_does_not_answer(use: Callable[[Store], Any], nowhere: Store) -> None:
    with pytest.raises(StorageError, match="connect") as caught:
        use(nowhere)
    assert SECRET not in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied"])
def test_bad_credentials(
    use: Callable[[Store], Any], code: str, s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"Error": {"Code": code, "Message": f"no: {code}"}}
    refusal = s3fs.core.translate_boto_error(ClientError(said, "Any"))

    async def refuse(*_: object, **__: object) -> None:
        raise refusal

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", refuse)
    s3_store.fs.invalidate_cache()
    with pytest.raises(StorageError) as caught:
        use(s3_store)
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(s3_store)


def test_a_store_is_small_and_holds_no_secret(s3_store: Store) -> None:
    import pickle

    assert s3_store.refs("raw") == []
    data = pickle.dumps(s3_store)
    assert b"canary" not in data
    assert pickle.loads(data).refs("raw") == []  # noqa: S301


def test_a_listing_sees_what_others_wrote(s3_store: Store) -> None:
    ref = publish(s3_store)
    assert s3_store.refs("raw") == [ref]
    _, _, bucket, root = s3_store.root.split("/", 3)
    key = f"{root}/raw/web-00001.{DIGEST}.{DIGEST}.parquet"
    s3_store.fs.call_s3("put_object", Bucket=bucket, Key=key, Body=b"x")
    s3_store.fs.call_s3("delete_object", Bucket=bucket, Key=f"{root}/{ref.name}")
    assert s3_store.refs("raw") == [Ref("raw", "web-00001", DIGEST, DIGEST)]


def test_parallel_publishers_of_the_same_file(s3_store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        refs = list(pool.map(lambda _: publish(s3_store), range(4)))
    assert s3_store.refs("raw") == [refs[0]]


def test_a_killed_upload_leaves_nothing_to_see(s3_store: Store, tmp_path: Path) -> None:
    from tests.core.test_store import VICTIM

    arguments = [s3_store.root, s3_store.endpoint_url or "", str(tmp_path)]
    where = ["s3fs", "S3FileSystem._call_s3"]
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, *arguments, *where], check=False, env=dict(os.environ)
    )
    assert done.returncode == -signal.SIGKILL
    assert s3_store.names("raw") == []
    left = list((tmp_path / "curation-scratch").iterdir())
    assert len(left) == 1
    assert s3_store.sweep() == 1
    assert list((tmp_path / "curation-scratch").iterdir()) == []


def test_who_uploads_a_file_drops_what_a_killed_upload_of_it_left(s3_store: Store) -> None:
    ref = publish(s3_store, BIG)
    _, _, bucket, root = s3_store.root.split("/", 3)
    for name in (ref.name, "raw/another.parquet"):
        s3_store.fs.call_s3("create_multipart_upload", Bucket=bucket, Key=f"{root}/{name}")
    s3_store.remove(ref.name)
    assert len(uploads(s3_store)) == 2
    assert publish(s3_store, BIG) == ref
    assert [entry["Key"] for entry in uploads(s3_store)] == [f"{root}/raw/another.parquet"]


def test_a_live_upload_that_somebody_dropped_begins_again(
    s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = s3fs.core.translate_boto_error(
        ClientError({"Error": {"Code": "NoSuchUpload", "Message": "gone"}}, "UploadPart")
    )
    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", failing("put_object", gone, times=1))
    ref = publish(s3_store)
    assert s3_store.refs("raw") == [ref]


def test_a_listing_says_how_large_and_when(s3_store: Store) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    ref = publish(s3_store)
    [(name, size, written)] = s3_store.listed("raw")
    assert (name, size) == (ref.name.removeprefix("raw/"), 1000)
    assert before < written < before + timedelta(minutes=10)
    assert s3_store.folders("") == ["raw"]
    assert s3_store.folders("raw") == s3_store.listed("nothing") == []
