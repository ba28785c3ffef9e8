"""Every signal there is, by the step that measures it: name, type, definition and source.

Only listed here; how signals are measured is the families' business, which presets have thresholds on them
that of `commands.signals`.
"""

from __future__ import annotations

from typing import NamedTuple

from curation_dagster import schema
from curation_dagster.annotate import language, mask
from curation_dagster.annotate.families import EDITS, FAMILIES
from curation_dagster.annotate.family import Signal


class Section(NamedTuple):
    """The signals of one step, which is named as a recipe writes it: `judge = "c4"`."""

    step: str
    title: str
    source: str
    signals: tuple[Signal, ...]


_LANGUAGE = "Joulin et al., 2016, arXiv:1607.01759; fastText lid.176"
_SCORES = (
    Signal("token_count", schema.SCORED["token_count"], "Tokens by `score.tokenizer`."),
    Signal("quality", schema.SCORED["quality"], "P(good) of `score.classifier`; null without one."),
)


def sections() -> list[Section]:
    """List the signals of every judge and edit, and those of the stage `scored`."""
    return [
        Section('judge = "language"', "Language", _LANGUAGE, language.SIGNALS),
        *(Section(f'judge = "{k}"', f.title, f.source, f.signals) for k, f in FAMILIES.items()),
        *(Section(f'edit = "{k}"', e.title, e.source, e.signals) for k, e in EDITS.items()),
        Section('edit = "mask"', "Masked personal data", "this project", mask.SIGNALS),
        Section("[score]", "Scores", "this project; stage `scored`", _SCORES),
    ]


def definitions() -> dict[str, Signal]:
    """Return every signal by its name."""
    return {signal.name: signal for section in sections() for signal in section.signals}
