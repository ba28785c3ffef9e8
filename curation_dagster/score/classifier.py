"""A fastText quality classifier: good text against ordinary text (Joulin et al., 2016; Li et al., 2024, DCLM).

Trained on one thread with a seed, so the same text gives the same bytes. Which documents are held
out is keyed by their content. Not here: where the text comes from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from curation_dagster.chance import share
from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

    from curation_dagster.recipe import Classifier

GOOD: Final = "__label__good"
_ORDINARY: Final = "__label__ordinary"
_MIN_HELD_OUT: Final = 2


@dataclass(frozen=True)
class Metrics:
    """Held-out quality of a classifier; the confusion is at P(good) = 0.5."""

    auc: float
    train_good: int
    train_ordinary: int
    true_good: int
    false_good: int
    true_ordinary: int
    false_ordinary: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a footer."""
        return asdict(self)


def one_line(texts: pl.Series, max_chars: int) -> pl.Series:
    """Give fastText's form of a text: its beginning, on one line, no label markers, lower case."""
    short = texts.fill_null("").str.slice(0, max_chars).str.to_lowercase()
    plain = short.str.replace_all("__label__", " ", literal=True)
    return plain.str.replace_all(r"\s+", " ").str.strip_chars()


def train(
    good: pl.DataFrame, ordinary: pl.DataFrame, config: Classifier, folder: Path
) -> tuple[Path, Metrics]:
    """Train on frames (key, text); write the model into `folder`. `key` decides what is held out.

    Raises:
        RecipeError: when a class has too few documents to train on and hold out.
    """
    import fasttext

    rows = pl.concat(
        _labelled(frame, label, config) for label, frame in ((GOOD, good), (_ORDINARY, ordinary))
    )
    counts = _counts(rows)
    data = folder / "train.txt"
    lines = rows.filter(~pl.col("held")).select(pl.col("label") + " " + pl.col("line")).to_series()
    data.write_text("\n".join(lines) + "\n", "utf-8")
    model = fasttext.train_supervised(
        str(data), dim=config.dim, epoch=config.epochs, lr=config.lr, wordNgrams=config.ngram_words,
        bucket=config.buckets, thread=1, seed=config.seed, verbose=0,
    )  # fmt: skip
    data.unlink()
    path = folder / "model.bin"
    model.save_model(str(path))
    held = rows.filter("held")
    scores = prob_good(held["line"], model)
    return path, _metrics(scores, (held["label"] == GOOD).to_numpy(), counts)


def _labelled(frame: pl.DataFrame, label: str, config: Classifier) -> pl.DataFrame:
    lines = one_line(frame["text"], config.max_doc_chars)
    held = share(frame["key"], f"held out {config.seed}") < config.held_out_share
    rows = pl.DataFrame({"line": lines, "held": held}).with_columns(label=pl.lit(label))
    return rows.filter(pl.col("line") != "")


def _counts(rows: pl.DataFrame) -> dict[tuple[str, bool], int]:
    counts = {
        (label, held): n for label, held, n in rows.group_by("label", "held").len().iter_rows()
    }
    for label in (GOOD, _ORDINARY):
        trained, held_out = counts.get((label, False), 0), counts.get((label, True), 0)
        if trained < _MIN_HELD_OUT or held_out < _MIN_HELD_OUT:
            name = label.removeprefix("__label__")
            msg = f"score.classifier.{name}: {trained} documents to train on, {held_out} held out; name more text"
            raise RecipeError(msg)
    return counts


def load(path: Path) -> Any:  # noqa: ANN401 - fastText has no types
    """Load a model that `train` wrote."""
    import fasttext

    return fasttext.load_model(str(path))


def prob_good(lines: pl.Series, model: Any) -> pl.Series:  # noqa: ANN401 - fastText has no types
    """Score prepared lines: P(good) in [0, 1]; null where there is no text."""
    if not lines.len():
        return pl.Series("quality", [], dtype=pl.Float32)
    labels, probs = model.predict(lines.to_list(), k=2)
    first = np.array([row[0] == GOOD if row else False for row in labels])
    prob = np.array([row[0] if len(row) else np.nan for row in probs], np.float32)
    score = np.clip(np.where(first, prob, 1 - prob), 0, 1)
    return pl.Series("quality", score.astype(np.float32), nan_to_null=True).set(lines == "", None)


def _metrics(scores: pl.Series, good: np.ndarray, counts: dict[tuple[str, bool], int]) -> Metrics:
    values = scores.fill_null(0).to_numpy()
    ranks = pl.Series(values).rank("average").to_numpy()
    n_good, n_ordinary = int(good.sum()), int((~good).sum())
    auc = (float(ranks[good].sum()) - n_good * (n_good + 1) / 2) / (n_good * n_ordinary)
    said = values >= 0.5  # noqa: PLR2004 - the middle
    return Metrics(
        auc=round(auc, 6),
        train_good=counts[GOOD, False],
        train_ordinary=counts[_ORDINARY, False],
        true_good=int((said & good).sum()),
        false_good=int((said & ~good).sum()),
        true_ordinary=int((~said & ~good).sum()),
        false_ordinary=int((~said & good).sum()),
    )
