"""The plan of a mixture against a slow oracle: every token of it is a token of a copy."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation_dagster import schema
from curation_dagster.chance import keyed_oracle
from curation_dagster.mix import plan
from curation_dagster.recipe import Mix, Phase

Doc = tuple[str, str, int, float | None]
DOCS = {"doc_id": pl.String, "domain": pl.String, "token_count": pl.UInt32, "quality": pl.Float32}


def frame(docs: list[Doc]) -> pl.DataFrame:
    return pl.DataFrame(docs, schema=DOCS, orient="row")


def phase(tokens: int, weights: dict[str, float], **more: object) -> Phase:
    return Phase(**({"name": "main", "tokens": tokens, "weights": weights} | more))


def slow_draw(doc_id: str, seed: int, name: str) -> int:
    return keyed_oracle(doc_id, keyed_oracle(f"mix {seed} {name}", 0))


def slow(docs: list[Doc], mix: Mix) -> tuple[dict, dict]:
    """Plan one document at a time: tokens planned and copies by (phase, domain), (phase, doc_id)."""
    planned: dict[tuple[str, str], int] = {}
    copies: dict[tuple[str, str], int] = {}
    for p in mix.phases:
        floor = None if p.min_quality is None else np.float32(p.min_quality)
        for domain, weight in p.weights.items():
            usable = [
                d
                for d in docs
                if d[1] == domain
                and (floor is None or (d[3] is not None and np.float32(d[3]) >= floor))
            ]
            supply = sum(d[2] for d in usable)
            left = min(
                round(p.tokens * (weight / sum(p.weights.values()))), int(supply * p.max_epochs)
            )
            used = 0
            while supply and left >= supply:
                left -= supply
                used += supply
                for d in usable:
                    copies[p.name, d[0]] = copies.get((p.name, d[0]), 0) + 1
            extra = []
            for d in sorted(usable, key=lambda d: slow_draw(d[0], mix.seed, p.name)):
                if sum(e[2] for e in extra) + d[2] > left:
                    break
                extra.append(d)
            used += sum(e[2] for e in extra)
            for d in extra if any(e[2] for e in extra) else []:
                copies[p.name, d[0]] = copies.get((p.name, d[0]), 0) + 1
            planned[p.name, domain] = used
    return planned, copies


def copies_of(docs: pl.DataFrame, mixture: pl.DataFrame, seed: int) -> dict[tuple[str, str], int]:
    """Say what `copies` gives each document, domain by domain."""
    found = {}
    for domain in docs["domain"].unique().to_list():
        mine = docs.filter(pl.col("domain") == domain)
        each = plan.copies(mine, mixture.filter(pl.col("domain") == domain), seed)
        assert each.dtype == schema.COPIES
        for doc_id, listed in zip(mine["doc_id"], each, strict=True):
            found |= {(c["phase"], doc_id): c["copies"] for c in listed}
    return found


SHARES = st.sampled_from([0.1, 0.3, 0.5, 0.7])
QUALITY = st.one_of(st.none(), SHARES, st.floats(0, 1, width=32))
NAMES = st.sampled_from(["a", "b", "c"])


@st.composite
def corpora(draw) -> list[Doc]:
    rows = draw(st.lists(st.tuples(NAMES, st.integers(0, 40), QUALITY), max_size=40))
    return [(f"d{i}", *row) for i, row in enumerate(rows)]


@st.composite
def mixes(draw) -> Mix:
    def one(name: str) -> Phase:
        weights = draw(st.dictionaries(NAMES, st.sampled_from([0, 0.5, 1, 3]), min_size=1))
        if not sum(weights.values()):
            weights[min(weights)] = 1
        return Phase(
            name=name,
            tokens=draw(st.integers(1, 3000)),
            weights=weights,
            max_epochs=draw(st.sampled_from([0.25, 1, 1.5, 4, 100])),
            min_quality=draw(st.one_of(st.none(), SHARES)),
        )

    names = ["main", "anneal"][: draw(st.integers(1, 2))]
    return Mix(phases=tuple(one(n) for n in names), seed=draw(st.integers(0, 5)))


@given(corpora(), mixes(), st.integers(1, 500))
@example(
    [("d0", "a", 0, None), ("d1", "a", 9, None)],
    Mix(phases=(phase(5, {"a": 0, "b": 1}),)),
    10,
)
@example([("d0", "a", 0, None), ("d1", "a", 40, None)], Mix(phases=(phase(5, {"a": 1}),)), 10)
@settings(deadline=None)
def test_exact_accounting(docs, mix, shard_tokens) -> None:
    supply = frame(docs)
    mixture = plan.mixture(supply, mix, shard_tokens)
    assert mixture.schema == schema.MIXTURE
    planned, copies = slow(docs, mix)
    found = {(p, d): n for p, d, n in mixture.select("phase", "domain", "planned_tokens").rows()}
    assert found == planned
    given_copies = copies_of(supply, mixture, mix.seed)
    assert given_copies == copies
    tokens = {doc[0]: (doc[1], doc[2]) for doc in docs}
    for row in mixture.iter_rows(named=True):
        used = sum(
            count * tokens[doc_id][1]
            for (name, doc_id), count in given_copies.items()
            if name == row["phase"] and tokens[doc_id][0] == row["domain"]
        )
        assert row["planned_tokens"] == used
        assert used <= row["target_tokens"]
        assert row["target_tokens"] - used == row["shortfall_tokens"]
        assert (row["reason"] is None) == (row["shortfall_tokens"] == 0)
        limit = next(p.max_epochs for p in mix.phases if p.name == row["phase"])
        assert used <= row["supply_tokens"] * limit
        if row["supply_tokens"]:
            assert row["epochs"] == pytest.approx(used / row["supply_tokens"])
    for name, rows in mixture.group_by("phase"):
        total = int(rows["planned_tokens"].sum())
        assert rows["output_shards"].to_list() == [-(-total // shard_tokens)] * rows.height
        if not total:
            assert not any(p == name[0] and n for (p, _), n in given_copies.items())


NEXT = "the next document would exceed it"
A = [("d1", "a", 10, 0.9), ("d2", "a", 20, 0.5), ("d3", "a", 30, None)]
TABLE = [
    # docs, phase, (target, planned, full_copies, reason)
    pytest.param(A, phase(60, {"a": 1}), (60, 60, 1, None), id="one epoch"),
    pytest.param(A, phase(61, {"a": 1}), (61, 60, 1, NEXT), id="a token more"),
    pytest.param(A, phase(120, {"a": 1}), (120, 120, 2, None), id="two epochs"),
    pytest.param(A, phase(240, {"a": 1}), (240, 240, 4, None), id="four epochs are allowed"),
    pytest.param(A, phase(241, {"a": 1}), (241, 240, 4, "supply allows 4 epochs"), id="more are not"),
    pytest.param(A, phase(900, {"a": 1}, max_epochs=1), (900, 60, 1, "supply allows 1 epochs"), id="one at most"),
    pytest.param(A, phase(9, {"a": 1}), (9, 0, 0, NEXT), id="below the smallest document"),
    pytest.param([], phase(9, {"a": 1}), (9, 0, 0, "no supply"), id="no documents"),
    pytest.param([("d1", "a", 0, None)], phase(9, {"a": 1}), (9, 0, 0, "no supply"), id="no tokens"),
    pytest.param(A, phase(9, {"a": 0, "b": 1}), (0, 0, 0, None), id="weight 0"),
    pytest.param(A, phase(120, {"a": 1, "b": 1}), (60, 60, 1, None), id="half the budget"),
    pytest.param(A, phase(30, {"a": 1}, min_quality=0.5), (30, 30, 1, None), id="null is below any floor"),
    pytest.param(A, phase(40, {"a": 1}, min_quality=0.51), (40, 40, 4, None), id="above the floor"),
    pytest.param(A, phase(40, {"a": 1}, min_quality=0.95), (40, 0, 0, "no supply"), id="none above the floor"),
    pytest.param(A[:1], phase(10, {"a": 1}), (10, 10, 1, None), id="one document, exactly"),
    pytest.param(A[:1], phase(9, {"a": 1}), (9, 0, 0, NEXT), id="one document, too long"),
    pytest.param(A[:1], phase(19, {"a": 1}), (19, 10, 1, NEXT), id="one document, not twice"),
]  # fmt: skip


@pytest.mark.parametrize(("docs", "of", "expected"), TABLE)
def test_plans(docs, of, expected) -> None:
    mixture = plan.mixture(frame(docs), Mix(phases=(of,)), 1000).filter(pl.col("domain") == "a")
    row = mixture.select("target_tokens", "planned_tokens", "full_copies", "reason").row(0)
    assert row == expected


def test_a_float32_quality_at_the_floor_is_counted_as_it_is_given() -> None:
    """0.7 as Float32 lies below 0.7: plan and copies must agree about it."""
    docs = frame([("d1", "a", 10, 0.7), ("d2", "a", 10, 0.1)])
    for floor in (0.7, 0.1):
        mix = Mix(phases=(phase(100, {"a": 1}, min_quality=floor, max_epochs=1),))
        mixture = plan.mixture(docs, mix, 1000)
        given_copies = copies_of(docs, mixture, 0)
        assert mixture["planned_tokens"][0] == 10 * sum(given_copies.values()) > 0


MANY = [(f"d{i}", "a", 10, None) for i in range(200)]


def chosen(docs: pl.DataFrame, seed: int, name: str = "main") -> set[str]:
    mix = Mix(phases=(phase(600, {"a": 1}, name=name),), seed=seed)
    return {doc for _, doc in copies_of(docs, plan.mixture(docs, mix, 1000), seed)}


def test_selection_is_keyed() -> None:
    docs = frame(MANY)
    first = chosen(docs, 1)
    assert len(first) == 60
    assert chosen(docs, 1) == first
    assert chosen(docs, 2) != first, "the seed draws"
    assert chosen(docs, 1, "anneal") != first, "phases draw independently"
    assert chosen(docs.reverse(), 1) == first
    assert chosen(docs.sample(fraction=1, shuffle=True, seed=3), 1) == first, "order draws nothing"


def test_batches_of_documents_get_the_same_copies() -> None:
    docs = frame(MANY)
    mixture = plan.mixture(docs, Mix(phases=(phase(2600, {"a": 1}),)), 1000)
    whole = plan.copies(docs, mixture, 0)
    parts = [plan.copies(docs.slice(i, 7), mixture, 0) for i in range(0, 200, 7)]
    assert pl.concat(parts).equals(whole)
    assert set(whole.list.len()) == {1}
    assert set(whole.explode().struct.field("copies")) == {1, 2}


def test_no_plan_no_copies() -> None:
    docs = frame(MANY[:3])
    empty = pl.DataFrame(schema=schema.MIXTURE)
    assert plan.copies(docs, empty, 0).to_list() == [[], [], []]
    assert plan.copies(docs.clear(), empty, 0).dtype == schema.COPIES
    mixture = plan.mixture(docs, Mix(phases=(phase(9, {"a": 1}),)), 1000)
    assert plan.copies(docs.clear(), mixture, 0).to_list() == []
