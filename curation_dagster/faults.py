"""What goes wrong with storage: which errors may pass, how long to be patient, what to do about the others.

Errors come as `OSError` (disks; s3fs makes one of every answer of the server), as botocore's own and as
aiohttp's. What is not certainly passing is final: a wrong key or a missing bucket does not get better.
Codes: Amazon S3 API reference, "Error responses"; what radosgw and MinIO send instead is among them.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import sys
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from curation_dagster.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How often and how long a request is tried; AWS_MAX_ATTEMPTS, if set, says how often."""

    attempts: int = 8
    first_wait_s: float = 0.25  # doubled each time: about 30 s of waiting in all
    longest_wait_s: float = 16
    budget_s: float = 120  # no attempt begins later than this after the first
    connect_s: float = 10
    silence_s: float = 60  # without a byte from the server
    request_s: float = 300  # one attempt, whatever trickles in


PATIENCE: Final = Patience()


@dataclass
class Tries:
    """The attempts at one request so far."""

    what: str
    patience: Patience = PATIENCE
    made: int = 0
    began: float = field(default_factory=time.monotonic)

    def wait_after(self, error: Exception) -> float | None:
        """Say how many seconds to wait before the next attempt; None, and a note in the error, to give up."""
        self.made += 1
        seconds = time.monotonic() - self.began
        most = _most_attempts(self.patience)
        if not may_pass(error):
            if self.made > 1:
                error.add_note(f"attempt {self.made}, {seconds:.1f} s after the first")
            return None
        wait = min(
            self.patience.first_wait_s * (1 << (self.made - 1)), self.patience.longest_wait_s
        )
        # Spread by name, so that workers that were refused together do not come back together.
        wait *= 0.5 + zlib.crc32(f"{self.what} {self.made} {os.getpid()}".encode()) / 2**33
        if self.made >= most or seconds + wait > self.patience.budget_s:
            if self.made > 1:
                error.add_note(f"gave up after {self.made} of {most} attempts, {seconds:.1f} s")
            return None
        _log.warning(
            "%s: attempt %d of %d: %s; again in %.1f s",
            self.what,
            self.made,
            most,
            said(error, advise=False),
            wait,
        )
        return wait


def was_tried_before(error: Exception) -> bool:
    """Tell whether an earlier attempt at the same request failed: what it did is not known."""
    return bool(getattr(error, "__notes__", ()))


def may_pass(error: Exception) -> bool:
    """Tell whether the same request may be answered later."""
    if code := code_of(error):
        return code in _PASSING or _status(error) in _PASSING_STATUS
    if type(error).__name__ in {"SSLError", "ClientSSLError"}:  # a wrong certificate stays wrong
        return False
    return isinstance(error, (ConnectionError, TimeoutError, *_connection_errors()))


def code_of(error: BaseException | None) -> str:
    """Return the code of a server's refusal, as NoSuchBucket; "" for anything else."""
    return str(_answer(error).get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def storage_errors(name: str) -> Iterator[None]:
    """Name the key, the attempts and the next step in what the storage says.

    Raises:
        StorageError: for whatever the storage raised.
    """
    try:
        yield
    except _refusals() as error:
        msg = f"{name}: {said(error)}"
        raise StorageError(msg) from error


def said(error: Exception, *, advise: bool = True) -> str:
    """Put an error of the storage in one line: kind, message, attempts, what to do."""
    code = code_of(error)
    kind = code if code and not code.isdigit() else type(error).__name__
    message = (_answer(error)["Error"].get("Message") or "") if code else str(error)
    text = f"{kind}: {message}".rstrip(": .")
    if notes := getattr(error, "__notes__", ()):
        text += f" ({'; '.join(notes)})"
    if advise and (step := _next_step(error, code)):
        text += f". {step}"
    return redacted(text)


def redacted(text: str) -> str:
    """Take the credentials out of URLs."""
    return _USERINFO.sub("//***@", text)


_USERINFO: Final = re.compile(r"//[^/\s@]+@")
_PASSING: Final = frozenset(
    """InternalError SlowDown SlowDownRead SlowDownWrite ServiceUnavailable RequestTimeout RequestTimeoutException
    Throttling ThrottlingException ThrottledException RequestThrottled TooManyRequests TooManyRequestsException
    BandwidthLimitExceeded RequestLimitExceeded OperationAborted ConditionalRequestConflict IncompleteBody
    BadDigest XAmzContentSHA256Mismatch TransientError""".split()
)
_PASSING_STATUS: Final = frozenset({408, 429, 500, 502, 503, 504})
_KEYS: Final = (
    "The key pair is wrong: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the profile), "
    "and that they are of this endpoint"
)
_EXPIRED: Final = (
    "The credentials have expired: get new ones and run again; what is computed is kept"
)
_MAY_NOT: Final = "The credentials may not do this: see the permissions listed in docs/storage.md"
_REGION: Final = "The bucket is in another region: set AWS_DEFAULT_REGION"
_STEPS: Final = {
    "NoSuchBucket": "There is no such bucket: make it, or correct the recipe; curate makes none",
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "InvalidToken": "The session token is not valid: check AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "The clocks of this machine and the server differ: correct this one's",
    "QuotaExceeded": "The quota is full: free space (`curate gc`), or have it raised, and run again",
    "PreconditionFailed": "The file was replaced while it was read: give new data a new name",
    "AccessDenied": _MAY_NOT,
    "403": _MAY_NOT,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "301": _REGION,
}
_DISK_STEPS: Final = {
    errno.ENOSPC: "The disk is full: free space (`curate gc`) and run again; what is computed is kept",
    errno.EDQUOT: "The quota is full: free space (`curate gc`) and run again; what is computed is kept",
    errno.EACCES: "This user may not write or read there: correct owner and mode",
    errno.EPERM: "The file system does not allow it: look at its attributes (lsattr) and mount options",
    errno.EROFS: "The file system is mounted read-only",
    errno.EIO: "The device reports an error: look at the system's log, and at the disk",
    errno.ESTALE: "The network file system lost the file: mount it again",
}


def _next_step(error: Exception, code: str) -> str:
    if step := _STEPS.get(code):
        return step
    if type(error).__name__ in {"NoCredentialsError", "PartialCredentialsError"}:
        return "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if may_pass(error):
        return "Run again later: only what is missing is computed"
    return _DISK_STEPS.get(getattr(error, "errno", None) or 0, "") if not code else ""


def _most_attempts(patience: Patience) -> int:
    asked = os.environ.get("AWS_MAX_ATTEMPTS", "")
    return max(1, int(asked)) if asked.isdigit() else patience.attempts


def _answer(error: BaseException | None) -> dict[str, Any]:
    """Return what a server said; s3fs keeps it in the cause."""
    for candidate in (error, getattr(error, "__cause__", None)):
        found = getattr(candidate, "response", None)
        if isinstance(found, dict):
            return found
    return {}


def _status(error: Exception) -> int:
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _connection_errors() -> tuple[type[Exception], ...]:
    """List the errors of a line or a server that fails; their libraries may not be loaded."""
    found: list[type[Exception]] = []
    if botocore := sys.modules.get("botocore.exceptions"):
        found += [botocore.HTTPClientError, botocore.ConnectionError, botocore.IncompleteReadError]
    if parsers := sys.modules.get("botocore.parsers"):
        found.append(parsers.ResponseParserError)  # half an answer, or a proxy's page
    if aiohttp := sys.modules.get("aiohttp"):
        found.append(aiohttp.ClientError)
    return tuple(found)


def _refusals() -> tuple[type[Exception], ...]:
    """Say what storage raises: not every error of botocore is an OSError, and it may not be loaded."""
    found: tuple[type[Exception], ...] = (OSError, *_connection_errors())
    botocore = sys.modules.get("botocore.exceptions")
    return (*found, botocore.BotoCoreError, botocore.ClientError) if botocore else found
