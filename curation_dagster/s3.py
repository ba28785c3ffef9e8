"""S3 through s3fs, with one layer of retries, time-outs, and bytes that are checked on both ways.

botocore's and s3fs' own retries are off: together they try a request up to 125 times, and none of them reads a cut
body again in every place. Here a request (a page of a listing, a part of an upload, a range of a file with its body)
is tried as `faults.Patience` says. An upload carries its MD5, so that the server refuses other bytes; what is read
has the length that was asked for, and all of it one ETag.

s3fs is imported when the first S3 URL is used: only `store.filesystem` imports this module.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import logging
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import s3fs  # noqa: TID253 - this module is imported where S3 is used
from fsspec.asyn import sync, sync_wrapper

from curation_dagster import faults
from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

_log = logging.getLogger(__name__)
PART_BYTES: Final = 16 << 20
_MOST_PARTS: Final = 10_000  # of S3
_AT_ONCE: Final = 4  # parts in memory, of one file


def connect(endpoint_url: str | None) -> PatientS3:
    """Return the file system of an endpoint; credentials come from the environment or a profile.

    Raises:
        RecipeError: for an endpoint that has credentials in it: it would be printed.
    """
    endpoint = (
        endpoint_url
        or os.environ.get("AWS_ENDPOINT_URL_S3")
        or os.environ.get("AWS_ENDPOINT_URL", "")
    )
    if "@" in urlsplit(endpoint).netloc:
        msg = "the S3 endpoint's URL has credentials in it; put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise RecipeError(msg)
    patience = faults.PATIENCE
    config: dict[str, Any] = {
        "connect_timeout": patience.connect_s,
        "read_timeout": patience.silence_s,
        "retries": {"total_max_attempts": 1},
    }
    if endpoint and not (urlsplit(endpoint).hostname or "").endswith(_AMAZON):
        # Others may not know the checksums that botocore adds since 2025; ours is the MD5.
        for name in ("request_checksum_calculation", "response_checksum_validation"):
            if f"AWS_{name.upper()}" not in os.environ:
                config[name] = "when_required"
    return PatientS3(
        endpoint_url=endpoint_url,
        config_kwargs=config,
        use_listings_cache=False,  # others write, too
        max_concurrency=_AT_ONCE,
    )


_AMAZON: Final = ("amazonaws.com", "amazonaws.com.cn")


class PatientS3(s3fs.S3FileSystem):  # type: ignore[misc] # s3fs has no types
    """s3fs with our patience instead of its own."""

    retries = 1

    async def _call_s3(self, method: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        call = super()._call_s3
        if method in {"put_object", "upload_part"}:
            md5 = hashlib.md5(kwargs["Body"], usedforsecurity=False).digest()
            kwargs["ContentMD5"] = base64.b64encode(md5).decode()
        if method == "get_object":  # tried again by `_read`, with its body
            return await call(method, *args, **kwargs)
        what = f"{method} {kwargs.get('Bucket', '')}/{kwargs.get('Key', kwargs.get('Prefix', ''))}"
        try:
            return await _patiently(what, lambda: call(method, *args, **kwargs))
        except OSError as error:
            if method == "head_object" and faults.code_of(error) in {"400", "403"}:
                # The answer to a HEAD has no room for a reason; that to a GET has.
                asked = {k: kwargs[k] for k in ("Bucket", "Key")}
                await call("get_object", Range="bytes=0-0", **asked)
            raise

    call_s3 = sync_wrapper(_call_s3)

    async def _abort_mpu(self, bucket: str, key: str, mpu: str) -> None:
        """Drop an upload because of an error, which is what is to be told; `curate gc` drops what is left."""
        try:
            await super()._abort_mpu(bucket, key, mpu)
        except Exception as error:  # noqa: BLE001 - the first error is raised after this
            _log.warning("abort_multipart_upload %s/%s: %s", bucket, key, faults.said(error))

    async def _read(self, path: str, start: int, end: int | None, etag: str | None = None) -> bytes:
        """Read a range, or all, in one request; the bytes of another version of the file are refused."""
        bucket, key, _ = self.split_path(path)
        asked = {"Bucket": bucket, "Key": key}
        if end is not None:
            if end <= start:
                return b""
            asked["Range"] = f"bytes={start}-{end - 1}"
        if etag:
            asked["IfMatch"] = etag

        async def whole() -> bytes:
            answer = await self._call_s3("get_object", **asked)
            async with answer["Body"] as body:
                data: bytes = await body.read()
            expected = answer["ContentLength"] if end is None else end - start
            if len(data) != expected:
                msg = f"{len(data)} bytes came, {expected} were asked for"
                raise ConnectionError(msg)
            return data

        found: bytes = await _patiently(f"get_object {bucket}/{key}", whole)
        return found

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: object
    ) -> bytes:
        if start is None and end is None:
            return await self._read(path, 0, None)
        size = (await self._info(path))["size"]
        first = start or 0 if (start or 0) >= 0 else max(size + (start or 0), 0)
        last = size if end is None else min(end, size) if end >= 0 else size + end
        return await self._read(path, first, last)

    async def _get_file(self, rpath: str, lpath: str, **_: object) -> None:
        info = await self._info(rpath)
        size, etag, slots = info["size"], info.get("ETag"), asyncio.Semaphore(_AT_ONCE)
        with Path(lpath).open("wb") as stream:

            async def copy(start: int) -> None:
                async with slots:
                    data = await self._read(rpath, start, min(start + PART_BYTES, size), etag)
                    stream.seek(start)
                    stream.write(data)

            failed: BaseException | None = None
            try:
                async with asyncio.TaskGroup() as group:
                    for start in range(0, size, PART_BYTES):
                        group.create_task(copy(start))
            except BaseExceptionGroup as several:
                failed = several.exceptions[0]
            if failed:
                raise failed  # as it is: its cause has what the server said

    async def _put_file(self, lpath: str, rpath: str, **options: Any) -> None:  # noqa: ANN401
        size = Path(lpath).stat().st_size
        part = max(PART_BYTES, -(-size // _MOST_PARTS))
        try:
            await super()._put_file(lpath, rpath, **{"chunksize": part} | options)
        except OSError as error:
            # The answer to "put the parts together" was lost: asked again, the server knows no such upload.
            lost = faults.code_of(error) == "NoSuchUpload" and faults.was_tried_before(error)
            if not lost or (await self._info(rpath))["size"] != size:
                raise

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if mode != "rb":
            return super()._open(path, mode, block_size=block_size, **options)
        return io.BufferedReader(_Ranges(self, path), block_size or PART_BYTES)

    def create(self, url: str, content: bytes) -> bool:
        """Write a small file unless it is there; return whether this call wrote it.

        An answer can be lost, and aiohttp sends a PUT again without a word: that the name is taken does not say by
        whom. So the file carries a word of this call's own.
        """
        bucket, key, _ = self.split_path(url)
        word = secrets.token_hex(8)
        asked = {"Bucket": bucket, "Key": key, "IfNoneMatch": "*", "Metadata": {"written-by": word}}
        try:
            self.call_s3("put_object", Body=content, **asked)
        except OSError as error:  # only Amazon's own answer becomes a FileExistsError
            if faults.code_of(error) != "PreconditionFailed":
                raise
            try:
                there = self.call_s3("head_object", Bucket=bucket, Key=key)
            except FileNotFoundError:  # whoever wrote it has removed it meanwhile
                return False
            return bool(there["Metadata"].get("written-by") == word)
        return True

    def need_bucket(self, url: str) -> None:
        """Raise what the server says of a bucket that is not there; a glob finds nothing in it, and says no more."""
        self.call_s3("list_objects_v2", Bucket=self.split_path(url)[0], MaxKeys=1)

    def unfinished(self, url: str) -> list[tuple[str, str, datetime]]:
        """List (key, id, begun) of the uploads below a URL that nobody has finished; one may be under way."""
        bucket, prefix, _ = self.split_path(url)
        asked = {"Bucket": bucket, "Prefix": prefix.rstrip("/") + "/"}
        found = []
        while True:
            page = self.call_s3("list_multipart_uploads", **asked)
            found += [(u["Key"], u["UploadId"], u["Initiated"]) for u in page.get("Uploads", [])]
            if not page.get("IsTruncated"):
                return found
            asked |= {
                "KeyMarker": page["NextKeyMarker"],
                "UploadIdMarker": page["NextUploadIdMarker"],
            }

    def abort(self, url: str, key: str, upload: str) -> None:
        """Drop an unfinished upload and its parts."""
        self.call_s3(
            "abort_multipart_upload", Bucket=self.split_path(url)[0], Key=key, UploadId=upload
        )


class _Ranges(io.RawIOBase):
    """A file of S3, read range by range; the buffer above it decides how much at once."""

    def __init__(self, fs: PatientS3, path: str) -> None:
        info = fs.info(path)
        self._fs, self._path, self._at = fs, path, 0
        self.size, self._etag = int(info["size"]), info.get("ETag")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readall(self) -> bytes:
        parts = []
        while part := self.read(PART_BYTES):
            parts.append(part)
        return b"".join(parts)

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - anything with a buffer
        end = min(self._at + len(buffer), self.size)
        data = sync(self._fs.loop, self._fs._read, self._path, self._at, end, self._etag)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


async def _patiently(what: str, request: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401
    """Make a request until it is answered, refused for good, or patience ends."""
    tries = faults.Tries(what, faults.PATIENCE)
    while True:
        try:
            return await asyncio.wait_for(request(), tries.patience.request_s)
        except Exception as error:
            wait = tries.wait_after(error)
            if wait is None:
                raise
        await asyncio.sleep(wait)
