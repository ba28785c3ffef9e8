"""Ask questions of an OpenAI-compatible endpoint, many at a time; what goes wrong is no answer, never an answer.

A try has one deadline for all of it, so that an endpoint that drips bytes costs no more than one that is silent. Broken
connections, statuses 408, 429 and 5xx and replies that are no answer are tried again, a bounded number of times, with
growing pauses. An endpoint that refuses (other statuses), or that leaves many questions in a row unanswered, is asked
no more. The key is read from the environment when asking begins and goes into one header; messages hold statuses and
kinds of errors, never what was sent or what came back. Redirects are not followed, and proxies not used.
"""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import urllib3
from urllib3.exceptions import HTTPError

from curation_dagster.decontaminate.judge_questions import NoAnswerError, answer_of
from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from curation_dagster.decontaminate.judge_questions import Question
    from curation_dagster.recipe_decontaminate import Judge

_OK: Final = 200
_AGAIN: Final = {408, 409, 425, 429}
_BROKEN: Final = 500  # and above
_MOST_BYTES: Final = 1 << 20  # of a reply
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_DEAD_AFTER: Final = 8  # questions in a row without an answer


class _RefusedError(NoAnswerError):
    """The endpoint will not answer any question."""


@dataclass
class Asked:
    """What came of one question: an answer, or why there is none."""

    question: Question
    same: bool | None
    why: str | None = None


@dataclass
class Client:
    """A connection pool to one endpoint. `pause` waits seconds; by default until asking stops, if that is sooner."""

    config: Judge
    pause: Callable[[float], object] | None = None
    _halt: threading.Event = field(default_factory=threading.Event)
    _stopped: str | None = None
    _failed_in_a_row: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Read the key.

        Raises:
            RecipeError: when the variable that holds it is not set, or cannot be a header.
        """
        self._headers = {"Content-Type": "application/json", **_authorization(self.config)}
        self._pool = urllib3.PoolManager(
            num_pools=1, maxsize=self.config.concurrency, retries=False
        )
        self._url = self.config.url.rstrip("/") + "/chat/completions"
        self._wait = self.pause or self._halt.wait

    def __repr__(self) -> str:
        """Name the endpoint, and not the key."""
        return f"Client({self.config.url})"

    def ask_all(self, questions: Sequence[Question]) -> Iterator[Asked]:
        """Yield what comes of every question, as it comes."""
        with ThreadPoolExecutor(self.config.concurrency) as threads:
            waiting = [threads.submit(self.ask, question) for question in questions]
            try:
                for done in as_completed(waiting):
                    yield done.result()
            finally:  # whoever stops reading, or Ctrl-C, asks no more
                self._stop("interrupted")
                for future in waiting:
                    future.cancel()

    def ask(self, question: Question) -> Asked:
        """Ask one question, so often as the recipe says; raises nothing for what an endpoint does."""
        if self._stopped:
            return Asked(question, None, self._stopped)
        why = "not asked"
        for attempt in range(self.config.max_tries):
            try:
                same = self._try(question, attempt)
            except _RefusedError as error:
                self._stop(str(error))
                return Asked(question, None, str(error))
            except NoAnswerError as error:
                why = str(error)
            else:
                self._count(answered=True)
                return Asked(question, same)
            if self._stopped:
                break
        self._count(answered=False)
        return Asked(question, None, why)

    def _try(self, question: Question, attempt: int) -> bool:
        """Send the request and read the reply, before the deadline."""
        if attempt:
            self._wait(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (attempt - 1)))
        deadline = time.monotonic() + self.config.timeout_s
        body = json.dumps(question.body(self.config.max_answer_tokens)).encode()
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=self._headers,
                timeout=urllib3.Timeout(total=self.config.timeout_s),
                preload_content=False,
                redirect=False,
            )
            try:
                reply = _read(response, deadline)
            except BaseException:
                response.close()  # what is left of it must not be taken for the next reply
                raise
            response.release_conn()
        except (HTTPError, OSError, ValueError) as error:
            msg = f"no reply ({type(error).__name__})"
            raise NoAnswerError(msg) from None
        return self._judged(response, reply)

    def _judged(self, response: urllib3.BaseHTTPResponse, reply: bytes) -> bool:
        status = response.status
        if status == _OK:
            return answer_of(reply)
        msg = f"status {status}"
        if status not in _AGAIN and status < _BROKEN:
            msg = f"the endpoint refuses: {msg}"
            raise _RefusedError(msg)
        asked = response.headers.get("Retry-After", "")
        if asked.isascii() and asked.isdigit():
            self._wait(min(_LONGEST_PAUSE_S, float(asked)))
        raise NoAnswerError(msg)

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why
        self._halt.set()

    def _count(self, *, answered: bool) -> None:
        with self._lock:
            self._failed_in_a_row = 0 if answered else self._failed_in_a_row + 1
            if self._failed_in_a_row >= _DEAD_AFTER:
                self._stop(f"{_DEAD_AFTER} questions in a row had no answer; asked no more")


def _authorization(config: Judge) -> dict[str, str]:
    if config.key_variable is None:
        return {}
    key = os.environ.get(config.key_variable, "").strip()
    if not key:
        msg = f"decontaminate.judge: the environment variable {config.key_variable} is not set"
        raise RecipeError(msg)
    if not (key.isascii() and key.isprintable()):
        msg = f"decontaminate.judge: {config.key_variable} holds characters that no header may"
        raise RecipeError(msg)
    return {"Authorization": f"Bearer {key}"}


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """Read a reply piece by piece, so that neither its length nor its pace is the endpoint's to choose."""
    parts, size = [], 0
    while part := response.read1(1 << 16):
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            msg = "the reply is too long"
            raise NoAnswerError(msg)
        if time.monotonic() > deadline:
            msg = "the reply took too long"
            raise NoAnswerError(msg)
    return b"".join(parts)
