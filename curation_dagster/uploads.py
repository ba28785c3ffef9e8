"""Large files go to S3 in parts, and a process killed between them leaves an upload that nobody sees and everybody pays.

Once a name is whole, no other upload of it is needed: whoever finishes one ends the others, which are those of killed
processes, or of a live one that computes the same; that one begins once more. What nobody uploads again (the recipe
has changed since) is found by `unfinished`: `curate reconcile` tells, `curate gc` ends what is old.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_LEAST_PART: Final = 5 << 20  # bytes; S3 takes no smaller part, so no smaller file has several


@dataclass(frozen=True)
class Upload:
    """An upload in parts that was begun and not finished."""

    bucket: str
    key: str
    id: str
    began: datetime


def put(fs: Any, scratch: Path, url: str) -> None:  # noqa: ANN401 - fsspec has no types
    """Upload a file whole, and end what other uploads of this name are in progress. One more request for a large file.

    Raises:
        OSError: when the storage refuses; nothing is visible then.
    """
    large = scratch.stat().st_size >= _LEAST_PART
    try:
        fs.put_file(str(scratch), url)
    except OSError as error:
        if not (large and _was_ended(error)):
            raise
        fs.put_file(str(scratch), url)
    if large:
        with contextlib.suppress(PermissionError):  # listing uploads is a right of its own
            for upload in unfinished(fs, url):
                if f"s3://{upload.bucket}/{upload.key}" == url:
                    end(fs, upload)


def unfinished(fs: Any, url: str) -> Iterator[Upload]:  # noqa: ANN401 - fsspec has no types
    """List the uploads in progress of every name that begins so, by name; none where there is no such thing."""
    if not url.startswith("s3://"):
        return
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    after: dict[str, str] = {}
    while True:
        page = fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **after)
        for entry in page.get("Uploads", []):
            yield Upload(bucket, entry["Key"], entry["UploadId"], entry["Initiated"])
        if not page.get("IsTruncated"):
            return
        after = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def end(fs: Any, upload: Upload) -> None:  # noqa: ANN401 - fsspec has no types
    """Throw away the parts of an upload; nothing where it is finished or ended already."""
    try:
        fs.call_s3(
            "abort_multipart_upload", Bucket=upload.bucket, Key=upload.key, UploadId=upload.id
        )
    except OSError as error:
        if not _was_ended(error):
            raise


def _was_ended(error: OSError) -> bool:
    """Tell the answer that there is no such upload: somebody else has finished the same file and ended this one."""
    answer = getattr(error.__cause__, "response", {})
    return answer.get("Error", {}).get("Code") == "NoSuchUpload"
