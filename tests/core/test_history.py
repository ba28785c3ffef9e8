"""Robust z-scores of a shard's figures against the earlier shards of its source, at their thresholds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster import history
from curation_dagster.errors import IntegrityError
from curation_dagster.history import Floor, z_score
from curation_dagster.job import Receipt
from curation_dagster.orchestration import source_checks
from curation_dagster.recipe import Gates
from curation_dagster.store import Ref

PAST = [(400, 1000), (410, 1000), (420, 1000), (430, 1000), (440, 1000)]  # kept, rows


class Corpus:
    """A stage whose footers are given, in plan order; a footer that is an error is raised."""

    def __init__(
        self, footers: list[Any], gates: Gates | None = None, others: tuple[int, ...] = ()
    ) -> None:
        keys = [f"{'other' if i in others else 'web'}-{i:05d}" for i in range(len(footers))]
        self.shards = {key: SimpleNamespace(source=key.rpartition("-")[0]) for key in keys}
        self.recipe = SimpleNamespace(gates=gates or Gates(), name="small")
        self._footers = dict(zip(keys, footers, strict=True))

    def current(self, stage: str, key: str) -> Ref | None:
        return Ref(stage, key, "i", "o") if self._footers[key] is not None else None

    def footer(self, ref: Ref) -> dict[str, Any]:
        found = self._footers[ref.partition]
        if isinstance(found, Exception):
            raise found
        return dict(found)

    @property
    def last(self) -> str:
        return list(self.shards)[-1]


def cleaned(kept: int, rows: int) -> dict[str, Any]:
    return {"rows": rows, "kept": kept, "rejected": {}}


def annotated(**languages: int) -> dict[str, Any]:
    return {"rows": sum(languages.values()), "kept": 0, "languages": languages}


def scored(tokens: int, kept: int, quality: float | None = None) -> dict[str, Any]:
    counted = {"documents": kept, "millionths": round((quality or 0) * kept * 1e6)}
    return {"rows": kept, "kept": kept, "tokens_kept": tokens, "scores": {"quality": counted}}


def unlike(corpus: Any, stage: str) -> list[str]:
    """Name the figures of the last shard that the check names."""
    receipt = Receipt(Ref(stage, corpus.last, "i", "o"), computed=True, summary={})
    passed, metadata = source_checks.like_its_past(corpus, stage, [receipt])
    assert passed is (not metadata["unlike"])
    return [said.split()[1] for said in metadata["unlike"]]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(-1e6, 1e6))
def test_z_is_what_numpy_says(past, value):
    middle, spread, z = z_score(value, past, Floor(0.5, 0.01))
    assert middle == pytest.approx(np.median(past))
    deviation = 1.4826 * np.median(np.abs(np.array(past) - np.median(past)))
    assert spread == pytest.approx(max(deviation, 0.5, 0.01 * abs(np.median(past))))
    assert z == pytest.approx((value - middle) / spread)


@pytest.mark.parametrize(
    ("kept", "named"),
    [  # median .42, MAD .01, spread .014826: the band is .42 +- 3.5 x .014826 = .0519
        pytest.param(420, False, id="the median"),
        pytest.param(471, False, id="just inside"),
        pytest.param(472, True, id="just outside"),
        pytest.param(369, False, id="just inside, below"),
        pytest.param(368, True, id="just outside, below"),
    ],
)
def test_a_kept_share_at_the_threshold(kept, named):
    corpus = Corpus([cleaned(*each) for each in PAST] + [cleaned(kept, 1000)])
    assert unlike(corpus, "cleaned") == ["kept_share"] * named


@pytest.mark.parametrize(
    ("kept", "named"), [pytest.param(435, False, id="inside"), pytest.param(436, True, id="outside")]
)  # fmt: skip
def test_a_past_that_never_varied_has_the_least_spread(kept, named):
    """The MAD is 0; a hundredth is believed: .4 + 3.5 x .01."""
    corpus = Corpus([cleaned(400, 1000)] * 5 + [cleaned(kept, 1000)])
    assert unlike(corpus, "cleaned") == ["kept_share"] * named


def test_one_bad_shard_in_the_past_moves_nothing():
    bad = [*PAST[:2], (0, 1000), *PAST[2:]]
    corpus = Corpus([cleaned(*each) for each in bad] + [cleaned(300, 1000)])
    assert unlike(corpus, "cleaned") == ["kept_share"]


@pytest.mark.parametrize(("count", "named"), [(4, False), (5, True)])
def test_too_little_past_compares_nothing(count, named):
    corpus: Any = Corpus([cleaned(400, 1000)] * count + [cleaned(0, 1000)])
    assert unlike(corpus, "cleaned") == ["kept_share"] * named
    [standing] = history.standings(corpus, "cleaned", [corpus.last])
    assert (standing.past, standing.z is None) == (count, not named)


def test_what_counts_as_past():
    """The same source, before in plan order, current, readable, and of many the latest."""
    gone, damaged = None, IntegrityError("cut")
    footers = [cleaned(n, 1000) for n in range(8)]
    footers[2], footers[3] = gone, damaged
    corpus: Any = Corpus(footers, Gates(min_past_shards=2, max_past_shards=3), others=(5,))
    past = history.Past(corpus, "cleaned")
    assert [f["kept"] for f in past.of("web-00007")] == [1, 4, 6]
    assert [f["kept"] for f in past.of("web-00006")] == [0, 1, 4]
    assert [f["kept"] for f in past.of("web-00001")] == [0]
    assert past.of("other-00005") == []


@pytest.mark.parametrize(
    ("languages", "named"),
    [
        pytest.param({"en": 900, "de": 100}, False, id="the usual mix"),
        pytest.param({"en": 1000}, True, id="one is gone"),  # .1 away
        pytest.param({"en": 831, "de": 169}, False, id="just inside"),  # 3.5 x .02 = .07
        pytest.param({"en": 829, "de": 171}, True, id="just outside"),
        pytest.param({"en": 800, "de": 100, "xx": 100}, True, id="a new one"),
        pytest.param({}, False, id="not measured"),
    ],
)
def test_a_language_mix_at_the_threshold(languages, named):
    corpus = Corpus([annotated(en=900, de=100)] * 5 + [annotated(**languages) | {"rows": 1000}])
    assert unlike(corpus, "annotated") == ["language_mix"] * named


def test_a_mix_nearer_than_the_others_is_fine():
    past = [annotated(en=500 + d, de=500 - d) for d in (-300, 300, -299, 299, 0, 301)]
    assert unlike(Corpus([*past, annotated(en=500, de=500)]), "annotated") == []


@pytest.mark.parametrize(
    ("now", "named"),
    [
        pytest.param(scored(100_000, 1000, 0.5), [], id="as ever"),
        pytest.param(scored(50_000, 500, 0.5), ["tokens"], id="half as many"),
        pytest.param(scored(100_000, 500, 0.5), ["tokens_per_document"], id="twice as long"),
        pytest.param(scored(100_000, 1000, 0.534), [], id="quality just inside"),
        pytest.param(scored(100_000, 1000, 0.536), ["mean_quality"], id="quality just outside"),
        pytest.param(scored(0, 0), ["tokens"], id="nothing"),
    ],
)
def test_tokens_and_quality(now, named):
    assert unlike(Corpus([scored(100_000, 1000, 0.5)] * 5 + [now]), "scored") == named


def test_the_documents_of_a_shard():
    assert unlike(Corpus([annotated(en=1000)] * 5 + [annotated(en=826)]), "annotated") == []
    assert unlike(Corpus([annotated(en=1000)] * 5 + [annotated(en=824)]), "annotated") == ["documents"]  # fmt: skip


def test_the_check_says_shard_value_median_spread_and_z():
    corpus: Any = Corpus([cleaned(400, 1000)] * 5 + [cleaned(200, 1000)])
    receipt = Receipt(Ref("cleaned", corpus.last, "i", "o"), computed=True, summary={})
    assert source_checks.like_its_past(corpus, "cleaned", [receipt])[1]["unlike"] == [
        "web-00005 kept_share 0.2, median of 5 shards 0.4, spread 0.01, z -20.0"
    ]
