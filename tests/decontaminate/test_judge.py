"""The judge: what counts as an answer, what becomes of hits, and that nothing that goes wrong is ever an answer."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from chat_server import Reply, dead_url, said, serving
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curation_dagster.decontaminate import judge, judge_answers
from curation_dagster.decontaminate.found import FOUND
from curation_dagster.decontaminate.judge_answers import Answer, Writer
from curation_dagster.decontaminate.judge_client import Client
from curation_dagster.decontaminate.judge_questions import (
    KINDS,
    NoAnswerError,
    Question,
    answer_of,
)
from curation_dagster.errors import RecipeError
from curation_dagster.recipe_decontaminate import Benchmark, Decontaminate, Judge
from curation_dagster.recipe_file import check_file, content
from curation_dagster.section import File, GrowingFile

CANARY = "sk-canary-4f1d9a7e"
QUESTION = Question("m", "math", "How many hives?", "She counts hives.")
ITEMS = pl.DataFrame(
    {
        "benchmark": ["bees", "bees", "bees", "law"],
        "item": ["1", "1", "1", "1"],
        "part": ["answer", "question", "passage", "question"],
        "text": ["Forty.", "How many hives?", "The farm is old.", "Who may appeal?"],
    }
)


def section(url: str = "http://127.0.0.1:9/v1", **more: Any) -> Judge:
    cache = GrowingFile(path=Path("none.jsonl"))
    settings = {"model": "m", "url": url, "cache": cache, "timeout_s": 5}
    return Judge(**(settings | more))


def client(url: str, waits: list[float] | None = None, **more: Any) -> Client:
    """Make a client that waits for nothing, and notes what it would have waited."""
    noted = waits if waits is not None else []
    return Client(section(url, **more), pause=noted.append)


# ------------------------------------------------------------------ what is an answer


def completion(content: Any, finish: str | None = "stop") -> bytes:
    return said(content, finish).body


@pytest.mark.parametrize(
    ("reply", "same"),
    [
        pytest.param(completion("True"), True, id="True"),
        pytest.param(completion("False"), False, id="False"),
        pytest.param(completion(" True\n"), True, id="white space around it"),
        pytest.param(completion('{"same": true}'), True, id="JSON, true"),
        pytest.param(completion('{"same": false}\n'), False, id="JSON, false"),
        pytest.param(completion("True", None), True, id="no reason to finish"),
    ],
)
def test_answers(reply: bytes, same: bool) -> None:
    assert answer_of(reply) is same


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(completion("true"), id="small letter"),
        pytest.param(completion("FALSE"), id="capitals"),
        pytest.param(completion("False."), id="full stop"),
        pytest.param(completion("**False**"), id="markdown"),
        pytest.param(completion("No"), id="no"),
        pytest.param(completion("False, because the numbers differ"), id="with a reason"),
        pytest.param(completion("True or False"), id="both"),
        pytest.param(completion(""), id="empty"),
        pytest.param(completion(None), id="null"),
        pytest.param(completion(False), id="a truth value where text belongs"),
        pytest.param(completion(["False"]), id="a list"),
        pytest.param(completion('"False"'), id="a JSON string"),
        pytest.param(completion('{"same": "false"}'), id="JSON, text"),
        pytest.param(completion('{"same": 0}'), id="JSON, a number"),
        pytest.param(completion('{"same": null}'), id="JSON, null"),
        pytest.param(completion('{"same": true, "same": false}'), id="JSON, twice"),
        pytest.param(completion('{"same": false, "why": "x"}'), id="JSON, another field"),
        pytest.param(completion('[["same", false]]'), id="a list that looks like an object"),
        pytest.param(completion("{" * 20_000), id="very deep"),
        pytest.param(completion("False", "length"), id="cut off"),
        pytest.param(completion("False", "content_filter"), id="filtered"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"False", id="no completion"),
        pytest.param(b'{"choices": []}', id="no choice"),
        pytest.param(b'{"choices": null}', id="null choices"),
        pytest.param(b'{"error": {"message": "overloaded"}}', id="an error with status 200"),
        pytest.param(completion("False").replace(b"[{", b"[{}, {"), id="two choices"),
        pytest.param(completion("False")[:-9], id="broken JSON"),
        pytest.param(b"<html>False</html>", id="a page"),
        pytest.param(b"\xff\xfe\x00", id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="deep JSON"),
    ],
)
def test_what_is_no_answer(reply: bytes) -> None:
    with pytest.raises(NoAnswerError):
        answer_of(reply)


@given(st.text(max_size=12))
def test_no_text_but_the_two_words_is_an_answer(content: str) -> None:
    if content.strip() in {"True", "False"}:
        return
    with pytest.raises(NoAnswerError):
        answer_of(completion(content))


def test_a_question_is_known_by_what_decides_its_answer() -> None:
    others = [
        Question("other", "math", QUESTION.item, QUESTION.passage),
        Question("m", "code", QUESTION.item, QUESTION.passage),
        Question("m", "math", "How many hives? ", QUESTION.passage),
        Question("m", "math", QUESTION.item, "She counts hives!"),
        Question("m", "math", QUESTION.passage, QUESTION.item),
    ]
    keys = {q.key for q in (QUESTION, *others)}
    assert len(keys) == 6
    assert Question("m", "math", QUESTION.item, QUESTION.passage).key == QUESTION.key


def test_what_is_sent() -> None:
    bodies = {kind: Question("m", kind, 'an "item"', "ignore all\n").body(64) for kind in KINDS}
    for body in bodies.values():
        assert (body["model"], body["temperature"], body["stream"]) == ("m", 0, False)
        assert json.loads(body["messages"][1]["content"].split("\n\n", 1)[1]) == {
            "test_item": 'an "item"', "passage": "ignore all\n",
        }  # fmt: skip
    assert len({body["messages"][1]["content"] for body in bodies.values()}) == len(KINDS) == 4


# ------------------------------------------------------------------ asking


def test_it_asks_and_hears() -> None:
    with serving(lambda _, body: said(str("hives" in body["messages"][1]["content"]))) as seen:
        other = Question("m", "math", "item", "passage")
        asker = client(seen.url + "/")
        found = {a.question: a.same for a in asker.ask_all([QUESTION, other])}
    assert found == {QUESTION: True, other: False}
    assert set(seen.paths) == {"/v1/chat/completions"}
    assert all("Authorization" not in h for h in seen.headers)


FAILS: dict[str, Reply] = {
    "status 500": Reply(b"oops", 500),
    "status 503 that says False": said("False", status=503),
    "status 429": Reply(b"{}", 429),
    "garbage": Reply(b"\x00\xff garbage"),
    "a page": Reply(b"<html>"),
    "an answer that is none": said("I think it is False."),
    "reset before the body": said("False", broken_at=0),
    "reset in the body": said("False", broken_at=40),
    "a body that is shorter than it says": Reply(
        said("False").body, headers={"Content-Length": "9999", "Connection": "close"}
    ),
    "no answer in time": said("False", wait_s=30),
    "a byte now and then": said("False", drip_s=0.1),
    "a reply without end": Reply(b" " * (1 << 21)),
}


@pytest.mark.parametrize("reply", FAILS.values(), ids=FAILS.keys())
def test_what_fails_is_tried_again_and_is_no_answer(reply: Reply) -> None:
    with serving(lambda *_: reply) as seen:
        began = time.monotonic()
        found = client(seen.url, timeout_s=0.3, max_tries=3).ask(QUESTION)
        took = time.monotonic() - began
    assert found.same is None
    assert found.why
    assert len(seen.bodies) == 3
    assert took < 5


@pytest.mark.parametrize("reply", FAILS.values(), ids=FAILS.keys())
def test_an_answer_after_failures_counts(reply: Reply) -> None:
    with serving(lambda n, _: said("False") if n == 2 else reply) as seen:
        found = client(seen.url, timeout_s=0.4, max_tries=4).ask(QUESTION)
    assert found.same is False
    assert len(seen.bodies) == 3


def test_pauses_grow_and_the_endpoint_may_ask_for_more() -> None:
    waits: list[float] = []
    soon, never = {"Retry-After": "7"}, {"Retry-After": "9" * 9}
    replies = [Reply(status=429, headers=soon), Reply(status=500), Reply(status=429, headers=never)]
    with serving(lambda n, _: replies[n]) as seen:
        assert client(seen.url, waits, max_tries=3).ask(QUESTION).same is None
    assert waits == [7, 1, 2, 60]


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 422])
def test_an_endpoint_that_refuses_is_asked_no_more(status: int) -> None:
    reply = Reply(status=status, headers={"Location": "http://127.0.0.1:9/elsewhere"})
    questions = [Question("m", "math", "item", str(n)) for n in range(20)]
    with serving(lambda *_: reply) as seen:
        found = list(client(seen.url, concurrency=1).ask_all(questions))
    assert [a.same for a in found] == [None] * 20
    assert len(seen.bodies) == 1
    assert f"status {status}" in str(found[0].why)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_dead_endpoint_answers_nothing_and_is_given_up(concurrency: int) -> None:
    questions = [Question("m", "math", "item", str(n)) for n in range(100)]
    waits: list[float] = []
    asker = client(dead_url(), waits, max_tries=2, concurrency=concurrency)
    found = list(asker.ask_all(questions))
    assert len(found) == 100
    assert {a.same for a in found} == {None}
    assert len(waits) <= 8 + concurrency, "a pause a second try, of the first few questions alone"


def test_no_more_questions_at_a_time_than_the_recipe_says() -> None:
    questions = [Question("m", "math", "item", str(n)) for n in range(12)]
    with serving(lambda *_: said("True", wait_s=0.05)) as seen:
        found = list(client(seen.url, concurrency=3).ask_all(questions))
    assert all(a.same for a in found)
    assert seen.most == 3


def test_whoever_stops_listening_asks_no_more() -> None:
    questions = [Question("m", "math", "item", str(n)) for n in range(50)]
    with serving(lambda *_: said("True", wait_s=0.01)) as seen:
        asking = client(seen.url, concurrency=2).ask_all(questions)
        next(asking)
        asking.close()
        assert len(seen.bodies) < 10


def test_the_key_is_sent_and_found_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("JUDGE_KEY", CANARY)
    caplog.set_level(logging.DEBUG)
    echoes = [
        Reply(f"bad key {CANARY}".encode(), 500),
        said(f"False {CANARY}"),
        Reply(json.dumps({"error": CANARY}).encode(), 429, {"X-Echo": CANARY}),
        Reply(CANARY.encode(), 401),
    ]
    with serving(lambda n, _: echoes[n % 4]) as seen:
        asker = client(seen.url, key_variable="JUDGE_KEY", max_tries=4)
        found = asker.ask(QUESTION)
    assert [h["Authorization"] for h in seen.headers] == [f"Bearer {CANARY}"] * 4
    shown = [repr(asker), str(asker), repr(found), repr(asker.config), caplog.text]
    dead = client(dead_url(), key_variable="JUDGE_KEY", max_tries=1).ask(QUESTION)
    try:
        raise NoAnswerError(str(dead.why))
    except NoAnswerError:
        shown += [repr(dead), traceback.format_exc()]
    assert CANARY not in "".join(shown)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("key", [None, "", "  ", "two\nlines", "schlüssel"])
def test_a_key_that_is_missing_or_no_header_stops_before_asking(
    key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("JUDGE_KEY", key)
    with pytest.raises(RecipeError, match="JUDGE_KEY") as raised:
        client("http://127.0.0.1:9/v1", key_variable="JUDGE_KEY")
    assert not (key and key.strip() and key in str(raised.value))


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000/v1", "ftp://h/v1", "http://user:secret@h/v1", "https://h/v1?key=secret", "https://h/v1#x",
        "https://h/v 1", "http://",
    ],
)  # fmt: skip
def test_urls_that_hold_secrets_or_are_none_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        section(url)


# ------------------------------------------------------------------ answers on disk


def answer(key: str, same: bool = True) -> Answer:
    return Answer(key, same, "m", "1", "math", "bees", "1")


def test_answers_come_back_and_the_same_ones_are_the_same_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "deep" / "other.jsonl"
    for path, keys in ((one, "cab"), (other, "abc")):
        with Writer(path) as writer:
            for key in keys:
                writer.add(answer(key, key != "b"))
    assert one.read_bytes() == other.read_bytes()
    assert {k: a.same for k, a in judge_answers.read(one).items()} == {"a": True, "b": False, "c": True}  # fmt: skip
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["one.jsonl"]
    assert judge_answers.read(tmp_path / "missing.jsonl") == {}


def test_what_an_interrupted_run_left_is_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    judge_answers.write(path, {"a": answer("a")})
    journal = path.with_name(path.name + judge_answers.JOURNAL)
    lines = [answer("b", False).line, answer("a", False).line, answer("c").line[:-20]]
    journal.write_text("\n".join(lines))
    with Writer(path) as writer:
        assert set(judge_answers.read(path)) == {"a", "b"}
        writer.add(answer("d"))
    found = judge_answers.read(path)
    assert {k: a.same for k, a in found.items()} == {"a": True, "b": False, "d": True}
    assert not journal.exists()


def test_a_crash_loses_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    code = "import sys, os; from pathlib import Path; from curation_dagster.decontaminate import judge_answers as j\n"
    code += "w = j.Writer(Path(sys.argv[1])).__enter__(); "
    code += "w.add(j.Answer('a', True, 'm', '1', 'math', 'bees', '1')); os._exit(9)"
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == 9
    assert not path.exists()
    with Writer(path):
        pass
    assert set(judge_answers.read(path)) == {"a"}


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Writer(path) as first:
        first.add(answer("a"))
        with pytest.raises(RecipeError, match="another process"):
            Writer(path).__enter__()
    assert set(judge_answers.read(path)) == {"a"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("{", "line 2 is no answer", id="broken"),
        pytest.param('{"key": "b", "same": true}', "line 2 is no answer", id="fields missing"),
        pytest.param(answer("b").line.replace("true", '"True"'), "line 2 is no answer", id="text"),
        pytest.param("", "line 2 is no answer", id="empty line"),
        pytest.param(answer("a", False).line, "line 2 contradicts", id="contradiction"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(
    line: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{answer('a').line}\n{line}\n{answer('z').line}\n")
    with pytest.raises(RecipeError, match=says):
        judge_answers.read(path)


def test_a_file_of_answers_may_be_missing_unless_it_is_pinned(tmp_path: Path) -> None:
    file = GrowingFile(path=tmp_path / "a.jsonl")
    assert check_file(file) is None
    assert content(file) is None
    assert check_file(GrowingFile(path=file.path, sha256="0" * 64)) is not None
    judge_answers.write(file.path, {"a": answer("a")})
    first = content(file)
    judge_answers.write(file.path, {"a": answer("a", False)})
    assert len({None, first, content(file)}) == 3


# ------------------------------------------------------------------ hits


TEXTS = pl.Series(["x" * 50 + "How many hives has she?" + "y" * 50, "東京" * 40 + "hives" + "é" * 60])  # fmt: skip


def config(path: Path, **more: Any) -> Decontaminate:
    file = File(path=Path("x"))
    return Decontaminate(
        steps=("rare_terms", "judge"),
        judge=section(cache=GrowingFile(path=path), **more),
        benchmarks=(
            Benchmark(name="bees", file=file, kind="math"),
            Benchmark(name="law", file=file),
        ),
    )


def hits(*rows: tuple[int, str, str, float, int, int]) -> pl.DataFrame:
    frame = [(d, b, "1", p, "rare_terms", s, a, z) for d, b, p, s, a, z in rows]
    return pl.DataFrame(frame, schema=FOUND, orient="row")


HITS = hits(
    (0, "bees", "question", 0.75, 50, 73),
    (0, "law", "question", 0.75, 50, 73),
    (1, "bees", "passage", 0.75, 240, 245),
)


def asked(path: Path, found: pl.DataFrame = HITS, **more: Any) -> list[Question | None]:
    judging = judge.build(ITEMS, config(path, **more))
    rows = found.iter_rows(named=True)
    return [judging.question(TEXTS[row["doc"]].encode(), row) for row in rows]


def rescored(path: Path, found: pl.DataFrame = HITS, **more: Any) -> list[tuple[Any, ...]]:
    done = judge.build(ITEMS, config(path, **more)).rescore(TEXTS, found)
    assert done.schema == found.schema
    return done.select("doc", "benchmark", "method").rows()


def test_questions_hold_the_item_and_the_passage(tmp_path: Path) -> None:
    first, second, third = asked(tmp_path / "a", context_bytes=4)
    assert first == Question(
        "m", "math", "How many hives?\nForty.", "xxxxHow many hives has she?yyyy"
    )
    assert second == Question(
        "m", "knowledge", "Who may appeal?", "xxxxHow many hives has she?yyyy"
    )
    assert third == Question("m", "math", "The farm is old.", "京hiveséé")


@given(st.integers(0, 60))
def test_passages_end_at_characters(context: int) -> None:
    data = TEXTS[1].encode()
    passage = judge.passage_of(data, 240, 245, section(context_bytes=context))
    before, after = passage.split("hives")
    assert (len(before.encode()), len(after.encode())) == (context // 3 * 3, context // 2 * 2)


@pytest.mark.parametrize(("same", "method"), [(True, "judge"), (False, None)])
def test_an_answer_keeps_or_removes_its_hit(same: bool, method: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    first = asked(path)[0]
    judge_answers.write(path, {first.key: answer(first.key, same)})
    left = [(0, "law", "judge_unanswered"), (1, "bees", "judge_unanswered")]
    assert rescored(path) == ([(0, "bees", method)] if method else []) + left


def test_without_answers_every_hit_stands(tmp_path: Path) -> None:
    assert rescored(tmp_path / "missing.jsonl") == [
        (0, "bees", "judge_unanswered"), (0, "law", "judge_unanswered"), (1, "bees", "judge_unanswered"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("score", "method"),
    [
        pytest.param(0.49, "rare_terms", id="below the band"),
        pytest.param(0.5, "judge_unanswered", id="its lower end"),
        pytest.param(0.75, "judge_unanswered", id="its upper end"),
        pytest.param(0.76, "rare_terms", id="above it"),
    ],
)
def test_outside_the_band_a_hit_stands_unasked(score: float, method: str, tmp_path: Path) -> None:
    found = hits((0, "bees", "question", score, 50, 73))
    assert rescored(tmp_path / "a", found, min_score=0.5, max_score=0.75) == [(0, "bees", method)]


@pytest.mark.parametrize(("most", "method"), [(23, "judge_unanswered"), (22, "rare_terms")])
def test_a_hit_too_long_to_send_stands_unasked(most: int, method: str, tmp_path: Path) -> None:
    found = rescored(tmp_path / "a", HITS[:1], max_passage_bytes=most)
    assert found == [(0, "bees", method)]


def test_answers_of_another_model_or_question_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    judge_answers.write(path, {q.key: answer(q.key, False) for q in asked(path) if q})
    assert rescored(path) == []
    assert len(rescored(path, model="another")) == 3
    assert rescored(path, math="number_substitution") == [
        (0, "bees", "judge_unanswered"), (1, "bees", "judge_unanswered"),
    ]  # fmt: skip
    assert rescored(path, url="http://elsewhere/v1", timeout_s=1) == []
