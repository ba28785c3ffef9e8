"""The files of gates and acceptances: named by what they cover, the same on disk and on S3, never changed."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from curation_dagster import gate_judge, gates
from curation_dagster.errors import IntegrityError
from curation_dagster.store import Store

if TYPE_CHECKING:
    from pathlib import Path

RECIPE: Any = SimpleNamespace(name="small")


def gate(**change: Any) -> gates.Gate:
    said: dict[str, Any] = {
        "recipe": "small", "stage": "cleaned", "check": "retention", "partition": "web-00000", "judged": "1",
        "limits": {"min_retention": 0.1}, "found": {"kept": 1}, "said": "keeps little",
    }  # fmt: skip
    return gates.Gate(**said | change)


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "disk":
        return Store(str(tmp_path))
    s3 = request.getfixturevalue("s3")
    return Store(s3.bucket(f"gates-{tmp_path.name.replace('_', '-')[-40:]}"), s3.url)


def test_an_acceptance_is_found_again(store: Store) -> None:
    first, second = gate(), gate(partition="web-00001")
    assert gates.acceptances(RECIPE, store) == {}
    gates.record(store, [first])
    gates.record(store, [first])  # is there already
    assert store.names("gates/small") == [f"{first.name}.json"]
    said = gates.accept(store, [first, second], "ada", "2026-05-01T00:00:00+00:00", "so")
    assert gates.acceptances(RECIPE, store) == {first.name: said, second.name: said}
    assert len(store.names("gates/small")) == 3
    other: Any = SimpleNamespace(name="other")  # a recipe on the same root
    assert gates.acceptances(other, store) == {}


def test_an_acceptance_that_was_edited_is_refused(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    said = gates.accept(store, [gate()], "ada", "2026-05-01T00:00:00+00:00", "so")
    path = tmp_path / "gates" / "small" / f"{said.name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"by": "somebody else"}))
    with pytest.raises(IntegrityError, match="was changed"):
        gates.acceptances(RECIPE, Store(f"{tmp_path}/"))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({"said": "in other words"}, True, id="words"),
        pytest.param({"judged": "2"}, False, id="other bytes"),
        pytest.param({"limits": {"min_retention": 0.2}}, False, id="another limit"),
        pytest.param({"found": {"kept": 2}}, False, id="another figure"),
        pytest.param({"partition": "all"}, False, id="another shard"),
        pytest.param({"recipe": "other"}, False, id="another recipe"),
    ],
)
def test_the_name_of_a_gate_covers_what_was_judged(change: dict[str, Any], *, same: bool) -> None:
    assert (gate().name == gate(**change).name) is same


def test_a_refusal_says_the_first_and_how_many_more() -> None:
    many = [gate(partition=f"web-{n:05d}", said=f"finding {n}") for n in range(7)]
    told = gates.refusal(RECIPE, "mixture", [*many, gate(stage="deduped")])
    assert told.splitlines()[:2] == ["mixture: refused, 8 gates failed:", "  finding 0"]
    assert "  … and 3 more: curate gates small" in told
    assert told.splitlines()[-2:] == [
        '  curate accept small cleaned --because "…"',
        '  curate accept small deduped --because "…"',
    ]


@pytest.mark.parametrize(
    ("shares", "before", "said"),
    [
        pytest.param({"a": 0.5}, [], "a rejects 50.0%", id="no past"),
        pytest.param(
            {"a": 0.5, "b": 0.2},
            [{"a": 1, "b": 2}, {"a": 2, "b": 2}, {"a": 9, "b": 2}],
            "a rejects 50.0% (20.0% in 3 earlier shards)",
            id="what moved, against the median",
        ),
        pytest.param({}, [{"a": 4}], "a rejects 0.0% (40.0% in 1 earlier shard)", id="less"),
        pytest.param({"a": 0.4}, [{"a": 4}], "", id="nothing moved"),
    ],
)
def test_which_rules_moved(shares: dict[str, float], before: list[dict], said: str) -> None:
    past = [{"rows": 10, "rejected": rejected} for rejected in before]
    assert gate_judge._moved(shares, past) == said


@pytest.mark.parametrize(
    ("name", "allowed", "passes"),
    [
        pytest.param("MIT", (), True, id="no list"),
        pytest.param("MIT", ("mit",), True, id="case"),
        pytest.param("MIT-0", ("MIT",), False, id="whole"),
        pytest.param(
            "https://creativecommons.org/licenses/by/4.0/",
            ("https://creativecommons.org/*",),
            True,
            id="*",
        ),
        pytest.param("https://x.test/?a", ("https://x.test/?a",), True, id="? is a question mark"),
        pytest.param("https://x.test/ba", ("https://x.test/?a",), False, id="and no wildcard"),
        pytest.param("[x]", ("[x]",), True, id="brackets"),
        pytest.param("undeclared", ("MIT",), False, id="none declared"),
        pytest.param("others", ("MIT", "undeclared"), False, id="too many to name"),
    ],
)
def test_which_licences_are_allowed(name: str, allowed: tuple[str, ...], *, passes: bool) -> None:
    assert gate_judge._is_allowed(name, allowed) is passes
