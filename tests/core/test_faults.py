"""A line and a server that misbehave, before moto's server and a real one: right data or a loud error."""

from __future__ import annotations

import dataclasses
import io
import os
import tempfile
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import faulty
import pytest
import storage_rounds
from botocore.exceptions import ClientError, SSLError
from s3fs.errors import translate_boto_error

from curation_dagster import faults, plan, s3
from curation_dagster.errors import IntegrityError, RecipeError, StorageError
from curation_dagster.recipe import Source
from curation_dagster.store import Ref, Store, filesystem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.core.conftest import S3

DIGEST = "0123456789ab"
PART = 5 << 20  # the smallest that S3 allows
LARGE = 2 * PART + 1234  # three parts
QUICK = dataclasses.replace(
    faults.PATIENCE, first_wait_s=0.005, longest_wait_s=0.05, silence_s=1, connect_s=5
)


@pytest.fixture(name="quick")
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(faults, "PATIENCE", QUICK)
    monkeypatch.setattr(s3, "PART_BYTES", PART)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture(params=["moto", "ceph"])
def proxy(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[faulty.Faulty, Store]]:
    """Give a proxy before a server, and a store behind it."""
    request.getfixturevalue("quick")
    if request.param == "ceph":
        url, bucket = request.getfixturevalue("ceph_bucket")
    else:
        moto: S3 = request.getfixturevalue("s3")
        url, bucket = moto.url, f"faults-{time.time_ns()}"
        moto.bucket(bucket)
    monkeypatch.delenv("AWS_MAX_ATTEMPTS", raising=False)
    with faulty.before(url) as running:
        yield running, Store(f"s3://{bucket}/root", running.url)


@pytest.mark.parametrize("kind", faulty.KINDS)
def test_a_bad_line_changes_nothing(
    kind: str, proxy: tuple[faulty.Faulty, Store], tmp_path: Path
) -> None:
    line, store = proxy
    line.inject(kind, seed=1, rate=0.3)
    assert storage_rounds.round_of(store, tmp_path, 1, LARGE) == "right"
    assert line.spoiled.total() > 2
    line.inject(None)
    assert storage_rounds.whole(store) == 3
    assert list((tmp_path / "curation-scratch").iterdir()) == []
    if kind in {
        "503",
        "reset",
    }:  # else the answer to "begin an upload" was lost, and with it its id
        assert store.fs.unfinished(store.root) == []


@pytest.mark.parametrize("kind", faulty.KINDS)
def test_a_dead_line_is_loud_and_shows_nothing(
    kind: str, proxy: tuple[faulty.Faulty, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, store = proxy
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    line.never_s = line.late_s = 1.2
    draft = tmp_path / "draft.parquet"
    draft.write_bytes(storage_rounds.content(1, 5000))
    assert store.refs("raw") == []
    line.inject(kind)
    uses: list[Any] = [
        lambda: store.publish(draft, "raw", "web-00000", DIGEST),
        lambda: store.create("plan/a.json", b"abc"),
        lambda: store.read("plan/a.json"),
    ]
    for use in uses:
        began = time.monotonic()
        with pytest.raises(
            StorageError, match=r"(raw|plan)/.*gave up after 2 of 2 attempts.*Run"
        ) as e:
            use()
        assert time.monotonic() - began < 30, e
    line.inject(None)
    time.sleep(1.5 if kind == "slow" else 0)
    assert storage_rounds.whole(store) in ({0, 1} if kind in {"lost", "slow"} else {0})
    ref = store.publish(draft, "raw", "web-00000", DIGEST)
    assert store.refs("raw") == [ref]


@pytest.mark.parametrize("kind", ["lost", "503", "reset"])
def test_one_lost_answer_costs_one_request(kind: str, proxy: tuple[faulty.Faulty, Store]) -> None:
    line, store = proxy
    line.inject(kind, times=1)
    assert store.create("plan/a.json", b"ours"), "the attempt whose answer was lost wrote it"
    assert line.seen.total() == (3 if kind == "lost" else 2), (
        "the name is taken: one look at the content"
    )
    line.inject(kind, times=1)
    assert not store.create("plan/a.json", b"others")
    assert store.read("plan/a.json") == b"ours"


def test_a_lost_answer_to_the_last_word_of_an_upload(
    proxy: tuple[faulty.Faulty, Store], tmp_path: Path
) -> None:
    line, store = proxy
    draft = tmp_path / "draft.parquet"
    draft.write_bytes(storage_rounds.content(1, LARGE))
    store.refs("raw")  # the file system is there
    real, spoil = line.spoils, []

    def only_the_last(method: str, path: str) -> str | None:
        real(method, path)
        if method == "POST" and "uploadId" in path and not spoil:
            spoil.append(path)
            return "lost"
        return None

    line.spoils = only_the_last  # type: ignore[method-assign]
    ref = store.publish(draft, "raw", "web-00000", DIGEST)
    assert spoil
    assert store.refs("raw") == [ref]
    with store.fetch(ref):
        pass
    assert store.fs.unfinished(store.root) == []


def test_inputs_are_read_through_a_bad_line(
    proxy: tuple[faulty.Faulty, Store], tmp_path: Path
) -> None:
    line, store = proxy
    text = storage_rounds.content(3, LARGE)
    bucket = store.root.split("/")[2]
    (tmp_path / "in").write_bytes(text)
    store.fs.put_file(str(tmp_path / "in"), f"{bucket}/in/a.jsonl")
    store.fs.put_file(str(tmp_path / "in"), f"{bucket}/in/deep/b.jsonl")
    source = Source(name="web", paths=(f"s3://{bucket}/in/**/*.jsonl",))
    line.inject("503", seed=2, rate=0.4)
    found = plan.list_inputs(source, line.url)
    assert [(path, size) for path, _, size, _ in found] == [
        ("a.jsonl", LARGE),
        ("deep/b.jsonl", LARGE),
    ]
    url, etag = found[0][1], found[0][3]["ETag"].strip('"')
    for kind in faulty.KINDS:
        line.inject(kind, seed=2, rate=0.4)
        with plan.open_input(plan.Input("a.jsonl", url, LARGE, etag), line.url) as stream:
            assert stream.read() == text
        assert line.spoiled


def test_a_file_that_is_replaced_while_it_is_read_is_refused(
    proxy: tuple[faulty.Faulty, Store],
) -> None:
    _, store = proxy
    ref = Ref("raw", "a", DIGEST, DIGEST)
    store.fs.pipe_file(store.path(ref.name), b"a" * (5 << 20))

    def read_while_it_is_replaced() -> None:
        with store.open(ref) as stream:
            assert stream.read(10) == b"a" * 10
            store.fs.pipe_file(store.path(ref.name), b"b" * (5 << 20))
            stream.seek(4 << 20)
            stream.read(20)

    with pytest.raises(
        StorageError, match=r"raw/a.*PreconditionFailed.*replaced while it was read"
    ):
        read_while_it_is_replaced()


@pytest.mark.parametrize("where", ["root", "source"])
def test_a_missing_bucket_is_said_at_once(
    where: str, proxy: tuple[faulty.Faulty, Store], tmp_path: Path
) -> None:
    line, _ = proxy
    store = Store("s3://no-such-bucket-here/root", line.url)
    draft = tmp_path / "draft.parquet"
    draft.write_bytes(b"x")
    uses: list[Any] = [
        lambda: store.refs("raw"),
        lambda: store.publish(draft, "raw", "web-00000", DIGEST),
        lambda: store.create("plan/a.json", b"x"),
        lambda: store.read("plan/a.json"),
        lambda: store.drop_unfinished(0),
    ]
    if where == "source":
        glob = Source(name="web", paths=("s3://no-such-bucket-here/in/*.jsonl",))
        uses = [lambda: plan.list_inputs(glob, line.url)]
    for use in uses:
        line.inject(None)
        with pytest.raises(StorageError, match=r"NoSuchBucket.*make it, or correct the recipe"):
            use()
        assert line.seen.total() <= (2 if where == "root" else 5), "a glob looks around"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "SignatureDoesNotMatch.*key pair is wrong"),
        ("AWS_ACCESS_KEY_ID", "UNKNOWN", "InvalidAccessKeyId.*key pair is wrong"),
    ],
)
def test_wrong_credentials_are_said_at_once(
    variable: str,
    value: str,
    says: str,
    ceph_bucket: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    url, bucket = ceph_bucket
    with faulty.before(url) as line:
        store = Store(f"s3://{bucket}/root", line.url)
        for use in (lambda: store.refs("raw"), lambda: store.create("plan/a.json", b"x")):
            line.inject(None)
            with pytest.raises(StorageError, match=says) as caught:
                use()
            assert line.seen.total() == 1
            assert "gave up" not in str(caught.value)


@pytest.mark.usefixtures("quick")
def test_another_users_bucket_is_refused(ceph: Any, ceph_bucket: Any) -> None:
    url, bucket = ceph_bucket
    ceph.client().put_bucket_policy(
        Bucket=bucket,
        Policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",'
        f' "Resource": "arn:aws:s3:::{bucket}/*"}}]}}',
    )
    store = Store(f"s3://{bucket}/root", url)
    assert store.refs("raw") == []
    with pytest.raises(StorageError, match=r"plan/a\.json: AccessDenied.*docs/storage\.md"):
        store.create("plan/a.json", b"x")


def test_expired_credentials_are_said_at_once(
    proxy: tuple[faulty.Faulty, Store], tmp_path: Path
) -> None:
    line, store = proxy
    draft = tmp_path / "draft.parquet"
    draft.write_bytes(storage_rounds.content(1, LARGE))
    ref = store.publish(draft, "raw", "web-00000", DIGEST)
    uses: list[Any] = [
        lambda: store.publish(draft, "raw", "web-00001", DIGEST),
        lambda: store.create("plan/a.json", b"x"),
        lambda: store.fetch(ref).__enter__(),
        lambda: store.refs("raw"),
    ]
    for use in uses:
        line.inject("expired")
        with pytest.raises(StorageError, match=r"ExpiredToken: .*get new ones and run again"):
            use()
        assert line.seen.total() <= 3, "a HEAD says no reason"
    line.inject(None)
    assert store.refs("raw") == [ref]


def test_a_large_file_that_may_not_be_fetched_says_why(
    proxy: tuple[faulty.Faulty, Store], tmp_path: Path
) -> None:
    line, store = proxy
    draft = tmp_path / "draft.parquet"
    draft.write_bytes(storage_rounds.content(1, LARGE))
    ref = store.publish(draft, "raw", "web-00000", DIGEST)
    real = line.spoils
    line.spoils = lambda m, p: "expired" if m == "GET" else real(m, p)  # type: ignore[method-assign]
    with pytest.raises(StorageError, match=r"raw/web.*ExpiredToken.*get new"), store.fetch(ref):
        pass


def answer(code: str, status: int = 400) -> Exception:
    said = {
        "Error": {"Code": code, "Message": "so"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return translate_boto_error(ClientError(said, "PutObject"))


@pytest.mark.parametrize(
    ("error", "passing", "step"),
    [
        (answer("SlowDown", 503), True, "Run again later"),
        (answer("InternalError", 500), True, "Run again later"),
        (answer("503", 503), True, "Run again later"),
        (answer("Unheard", 429), True, "Run again later"),
        (answer("BadDigest"), True, "Run again later"),
        (answer("ExpiredToken"), False, "get new ones and run again"),
        (answer("ExpiredToken", 403), False, "get new ones and run again"),
        (answer("InvalidToken"), False, "AWS_SESSION_TOKEN"),
        (answer("RequestTimeTooSkewed", 403), False, "clocks"),
        (answer("QuotaExceeded", 403), False, "quota is full"),
        (answer("403", 403), False, "permissions listed"),
        (answer("NoSuchKey", 404), False, ""),
        (answer("PermanentRedirect", 301), False, "AWS_DEFAULT_REGION"),
        (ConnectionResetError(104, "reset"), True, "Run again later"),
        (TimeoutError(), True, "Run again later"),
        (SSLError(endpoint_url="https://x", error="self-signed"), False, ""),
        (OSError(28, "No space left on device"), False, "disk is full"),
        (OSError(122, "Disk quota exceeded"), False, "quota is full"),
        (OSError(30, "Read-only file system"), False, "mounted read-only"),
        (PermissionError(13, "Permission denied"), False, "owner and mode"),
        (FileNotFoundError(2, "No such file"), False, ""),
        (ValueError("x"), False, ""),
    ],
)
def test_what_may_pass_and_what_to_do(error: Exception, passing: bool, step: str) -> None:
    assert faults.may_pass(error) is passing
    assert step in faults.said(error)
    assert ("Run again later" in faults.said(error)) == passing


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_MAX_ATTEMPTS", raising=False)
    error = ConnectionResetError("x")
    tries = faults.Tries("put a", faults.PATIENCE)
    waits = [tries.wait_after(error) for _ in range(8)]
    assert waits.pop() is None
    assert all(
        a / 2 <= (w or 0) <= a for w, a in zip(waits, (0.25, 0.5, 1, 2, 4, 8, 16), strict=True)
    )
    assert "gave up after 8 of 8 attempts" in faults.said(error)
    late = faults.Tries("put a", faults.PATIENCE, began=time.monotonic() - 119.9)
    assert late.wait_after(ConnectionResetError("x")) is None
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert faults.Tries("put a").wait_after(ConnectionResetError("x")) is None


def test_every_attempt_is_logged_with_its_key(
    proxy: tuple[faulty.Faulty, Store], caplog: pytest.LogCaptureFixture
) -> None:
    line, store = proxy
    line.inject("503", times=2)
    store.create("plan/a.json", b"x")
    lines = [r.getMessage() for r in caplog.records if r.name == "curation_dagster.faults"]
    assert [m.partition("; again")[0] for m in lines] == [
        f"put_object {store.root.removeprefix('s3://')}/plan/a.json: attempt {i} of 8: SlowDown: "
        "Please reduce your request rate"
        for i in (1, 2)
    ]


def test_a_hung_server_does_not_hang_us(
    proxy: tuple[faulty.Faulty, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, _ = proxy
    monkeypatch.setattr(faults, "PATIENCE", dataclasses.replace(QUICK, budget_s=3))
    store = Store("s3://bucket/root", line.url.replace("127.0.0.1", "localhost"))
    store.fs.connect()  # loads what takes seconds
    line.inject("slow")
    line.never_s = line.late_s = 2
    began = time.monotonic()
    with pytest.raises(StorageError, match=r"raw: ReadTimeoutError.*gave up after [2-7] of 8"):
        store.refs("raw")
    assert time.monotonic() - began < 20


def test_bytes_that_arrive_damaged_are_fetched_again(
    s3_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "draft.parquet").write_bytes(b"right")
    ref = s3_store.publish(tmp_path / "draft.parquet", "raw", "web-00000", DIGEST)
    real, fetched = s3_store.fs.get_file, []

    def damaged(times: int, varies: bool) -> Any:
        fetched.clear()

        def get(remote: str, local: str) -> None:
            real(remote, local)
            fetched.append(remote)
            if len(fetched) <= times:
                with open(local, "ab") as stream:  # noqa: PTH123
                    stream.write(b"x" * (len(fetched) if varies else 1))

        return get

    monkeypatch.setattr(s3_store.fs, "get_file", damaged(2, varies=True))
    with s3_store.fetch(ref) as [path]:
        assert (path.read_bytes(), len(fetched)) == (b"right", 3)
    for times, varies, asked in (
        (9, True, 3),
        (9, False, 2),
    ):  # the same damage twice is the file's
        monkeypatch.setattr(s3_store.fs, "get_file", damaged(times, varies))
        with pytest.raises(IntegrityError, match="damaged"), s3_store.fetch(ref):
            pass
        assert len(fetched) == asked


@pytest.mark.usefixtures("quick")
def test_the_server_refuses_bytes_that_were_damaged_on_the_way(ceph_bucket: Any) -> None:
    url, bucket = ceph_bucket
    with faulty.before(url) as line:
        store = Store(f"s3://{bucket}/root", line.url)

        def change(handler: Any, body: bytes, whole: bool = True) -> Any:
            seen.append(handler.headers["Content-MD5"])
            return real(
                handler, body.replace(b"right", b"wrong") if len(seen) == 1 else body, whole
            )

        real, seen = faulty._Handler._forward, []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(faulty._Handler, "_forward", change)
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            store.fs.pipe_file(store.path("plan/a"), b"right")
        assert store.read("plan/a") == b"right"
        assert set(seen) == {seen[0]}
        assert len(seen) in {2, 3}, "a server may close instead of answering"


def test_ranges_read_as_a_file(s3_store: Store) -> None:
    text = storage_rounds.content(9, 10_000)
    s3_store.fs.pipe_file(s3_store.path("raw/x"), text)
    plain = io.BytesIO(text)
    with s3_store.fs.open(s3_store.path("raw/x"), block_size=64) as stream:
        for whence, offset, size in (
            (0, 0, 10), (1, 100, 1000), (2, -50, 100), (0, 9999, 5), (0, 20_000, 5), (0, 1, -1), (1, -3, 2),
        ):  # fmt: skip
            assert stream.seek(offset, whence) == plain.seek(offset, whence)
            assert stream.read(size) == plain.read(size)
            assert stream.tell() == plain.tell()
    for start, end in ((0, 10), (5, None), (None, 7), (-5, None), (3, -3), (9990, 20_000), (7, 7)):
        assert s3_store.fs.cat_file(s3_store.path("raw/x"), start, end) == text[start:end]


def test_old_unfinished_uploads_are_dropped_and_others_stay(ceph_bucket: Any) -> None:
    url, name = ceph_bucket  # moto says they began in 2010
    store = Store(f"s3://{name}/root", url)
    bucket, prefix = store.root.removeprefix("s3://").split("/", 1)
    ids = {}
    for key in (f"{prefix}/raw/a", f"{prefix}2/raw/a"):
        made = store.fs.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
        store.fs.call_s3(
            "upload_part",
            Bucket=bucket,
            Key=key,
            UploadId=made["UploadId"],
            PartNumber=1,
            Body=b"x",
        )
        ids[key] = made["UploadId"]
    [(key, upload, begun)] = store.fs.unfinished(store.root)
    assert (key, upload) == (f"{prefix}/raw/a", ids[f"{prefix}/raw/a"])
    assert abs((datetime.now(UTC) - begun).total_seconds()) < 600
    assert store.drop_unfinished(3600) == 0, "it may be under way"
    assert store.drop_unfinished(-600) == 1
    assert store.fs.unfinished(store.root) == []
    assert len(store.fs.unfinished(f"{bucket}/{prefix}2")) == 1
    assert Store("/tmp").drop_unfinished(0) == 0


def test_what_others_do_not_know_is_not_sent_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ("request_checksum_calculation", "response_checksum_validation")
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)

    def settings(endpoint: str | None) -> list[str | None]:
        return [s3.connect(endpoint).config_kwargs.get(name) for name in asked]

    assert settings("http://127.0.0.1:1") == ["when_required"] * 2
    assert settings(None) == settings("https://s3.eu-west-1.amazonaws.com") == [None, None]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2")
    assert settings(None) == ["when_required"] * 2
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
    assert settings("http://127.0.0.1:3") == [None, "when_required"]
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://user:canary@127.0.0.1:2")
        with pytest.raises(RecipeError, match="has credentials in it") as caught:
            s3.connect(None)
        assert "canary" not in str(caught.value)
        monkeypatch.delenv(name)


def test_our_own_retries_are_the_only_ones(proxy: tuple[faulty.Faulty, Store]) -> None:
    line, store = proxy
    assert store.fs.retries == 1
    line.inject("503")
    with pytest.raises(StorageError, match="gave up after 8 of 8"):
        store.read("plan/a.json")
    assert line.seen.total() == 8
    line.inject("cut")
    with pytest.raises(StorageError, match="gave up after 8 of 8"):
        store.create("plan/b.json", b"abc")
    assert line.seen.total() <= 16, "aiohttp sends a PUT again when its connection breaks"


def test_an_empty_range_asks_nobody(s3_store: Store) -> None:
    s3_store.fs.pipe_file(s3_store.path("raw/x"), b"")
    with s3_store.fs.open(s3_store.path("raw/x")) as stream:
        assert stream.read() == b""
    assert filesystem(s3_store.root, s3_store.endpoint_url) is s3_store.fs
    assert Ref("raw", "x", DIGEST, DIGEST).bytes == 0
