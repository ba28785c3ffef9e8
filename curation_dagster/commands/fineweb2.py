"""A FineWeb2 configuration of one language (huggingface/fineweb-2, configs/fra_Latn.yml) as steps of a recipe.

Such a file holds what FineWeb2 tuned for the language; the rest its fineweb-2-pipeline.py fixes for all, and here
comes from the preset `fineweb2`. Names there are datatrove's: `max_non_alpha_words_ratio` is the *least*
share of words with a letter. A threshold that can reject nothing, or that datatrove reads as none (0 in Gopher's
rules), is "off". `language_score` belongs to GlotLID and to no other model.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import TypeAdapter, ValidationError

from curation_dagster.annotate import splitter
from curation_dagster.errors import RecipeError
from curation_dagster.nearest import nearest
from curation_dagster.recipe_file import presets
from curation_dagster.recipe_steps import Step
from curation_dagster.words import buffers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FIELDS = {
    "dup_line_frac": ("gopher_repetition", "max_dup_line_ratio"),
    "line_punct_thr": ("fineweb", "min_terminal_line_ratio"),
    "new_line_ratio": ("fineweb", "max_newline_word_ratio"),
    "min_avg_word_length": ("gopher_quality", "min_mean_word_chars"),
    "max_avg_word_length": ("gopher_quality", "max_mean_word_chars"),
    "max_non_alpha_words_ratio": ("gopher_quality", "min_alpha_word_ratio"),
}
_NGRAMS = {  # key -> field, and the lengths the judge has a bound for
    "top_n_grams": ("max_top_{}gram_char_ratio", range(2, 5)),
    "dup_n_grams": ("max_dup_{}gram_char_ratio", range(5, 11)),
}
_KEYS = {*_FIELDS, *_NGRAMS, "stopwords", "language_score"}
_LABEL = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
_MIN_STOP_WORDS = 2  # in FineWeb2, for every language
_GLOTLID = "glotlid.bin"


def convert(path: Path) -> str:
    """Return the steps of the language `path` is about, as TOML to paste into a recipe.

    Raises:
        RecipeError: for what is no such configuration, naming each key.
    """
    said = _read(path)
    values: dict[str, dict[str, Any]] = {}
    for key, (judge, field) in _FIELDS.items():
        if key in said:
            off = _is_off(judge, field, said[key])
            values.setdefault(judge, {})[field] = "off" if off else said[key]
    for key in _NGRAMS:
        values.setdefault("gopher_repetition", {}).update(_ngrams(path, key, said.get(key, [])))
    notes: list[str] = []
    if words := said.get("stopwords"):
        wanted, notes = _stop_words(path, words)
        values.setdefault("gopher_quality", {}).update(stop_words=words, min_stop_words=wanted)
    steps = [
        _in_order(step | values.get(step.get("judge", ""), {}))
        for step in presets()["fineweb2"]["steps"]
    ]
    _check(path, steps)
    return "\n".join([_head(path, said, notes), *map(_toml, steps)])


def _read(path: Path) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped]

    try:
        said = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path}: cannot be read as YAML: {error}"
        raise RecipeError(msg) from error
    if not isinstance(said, dict) or not said:
        msg = (
            f"{path}: expected keys such as {', '.join(sorted(_KEYS))}; found {type(said).__name__}"
        )
        raise RecipeError(msg)
    if unknown := [str(key) for key in said if key not in _KEYS]:
        named = ", ".join(key + nearest(key, _KEYS).replace("; ", " - ") for key in unknown)
        msg = f"{path}: unknown keys: {named}; a FineWeb2 configuration has {', '.join(sorted(_KEYS))}"
        raise RecipeError(msg)
    return said


def _is_off(judge: str, field: str, value: Any) -> bool:  # noqa: ANN401 - YAML is anything
    """Say whether a threshold is none: a least below zero, a greatest share above one, Gopher's zeros."""
    if not isinstance(value, int | float):
        return False  # refused by `_check`
    beyond = value < 0 if field.startswith("min_") else field.endswith("_line_ratio") and value > 1
    return beyond or (judge.startswith("gopher") and not value)


def _stop_words(path: Path, words: Any) -> tuple[int | str, list[str]]:  # noqa: ANN401 - YAML is anything
    """Say how many of these stop words to ask for, and what there is to know about them.

    They are tokens of the language's tokenizer in datatrove. What `splitter` never gives as one word is not found
    in any text; where that is most of the list, asking for two of it would reject every document.
    """
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        msg = f"{path}: stopwords: expected a list of words, found {words!r}"
        raise RecipeError(msg)
    lost = [word for word in words if not _is_word(word)]
    if not lost:
        return _MIN_STOP_WORDS, []
    notes = [f"# No word of its own here, so never found: {' '.join(lost)}"]
    if 2 * len(lost) <= len(words):
        return _MIN_STOP_WORDS, notes
    return "off", [
        *notes,
        "# That is most of the list: min_stop_words is off, or it would reject every page.",
    ]


def _is_word(word: str) -> bool:
    """Say whether `splitter` can give this as one word of a text; a prefix such as l' it leaves on the next."""
    data, offsets, owner = buffers(pl.Series([word]))
    found = splitter.split(data, offsets)
    del owner  # the Arrow array outlives the views into it
    whole = len(found.start) == 1 and found.end[0] - found.start[0] == len(word.encode())
    return whole and not word.endswith(("'", "’"))


def _ngrams(path: Path, key: str, pairs: Any) -> dict[str, float | str]:  # noqa: ANN401 - YAML is anything
    """Spread [[2, 0.2], …] over a field for each length; a length that is not listed has no rule."""
    field, lengths = _NGRAMS[key]
    try:
        listed: dict[int, float | str] = {int(n): float(share) for n, share in pairs}
    except (TypeError, ValueError) as error:
        msg = f"{path}: {key}: expected pairs of a length and a share, found {pairs!r}"
        raise RecipeError(msg) from error
    if strange := sorted(set(listed) - set(lengths)):
        msg = f"{path}: {key}: no rule for n-grams of {strange} words; there are {list(lengths)}"
        raise RecipeError(msg)
    return {field.format(n): listed.get(n, "off") for n in lengths} if listed else {}


def _in_order(step: dict[str, Any]) -> dict[str, Any]:
    """Put stop words after the judge's name, where the presets have them."""
    first = [k for k in ("edit", "judge", "stop_words") if k in step]
    return {k: step[k] for k in [*first, *(k for k in step if k not in first)]}


def _check(path: Path, steps: list[dict[str, Any]]) -> None:
    """Refuse values that a recipe would refuse, here, where the file that has them is known."""
    try:
        TypeAdapter(tuple[Step, ...]).validate_python(steps)
    except ValidationError as error:
        wrong = "; ".join(
            f"{d['loc'][-1]}: {d['msg']}, found {d['input']!r}" for d in error.errors()
        )
        msg = f"{path}: {wrong}"
        raise RecipeError(msg) from error


def _head(path: Path, said: Mapping[str, Any], notes: list[str]) -> str:
    """Write the comment and the language judge."""
    label = path.stem if _LABEL.fullmatch(path.stem) else None
    lines = [
        f"# FineWeb2, {label or path.name}: huggingface/fineweb-2, configs and fineweb-2-pipeline.py.",
        "# What the configuration does not say is from the preset fineweb2.",
        *notes,
    ]
    if "language_score" not in said:
        lines.append("# It has no language_score: put a language judge before these steps.")
    else:
        lines += [
            "",
            "[[steps]]",
            'judge = "language"',
            f"languages = [{_value(label or 'xxx_Xxxx')}]  # GlotLID's label",
            f"min_prob = {_value(said['language_score'])}  # on GlotLID's scale, which is not that of lid.176",
            f'model = {{ path = "{_GLOTLID}" }}  # cis-lmu/glotlid, model.bin; relative to the recipe',
        ]
    return "\n".join([*lines, ""])


def _toml(step: Mapping[str, Any]) -> str:
    return "\n".join(["[[steps]]", *(f"{k} = {_value(v)}" for k, v in step.items()), ""])


def _value(value: Any) -> str:  # noqa: ANN401 - a field's value
    """Write a value as TOML, which is JSON for strings, lists of them, truth values and numbers.

    >>> print(_value(["l'", "où"]), _value(0.5), _value(True))
    ["l'", "où"] 0.5 true
    """
    return json.dumps(value, ensure_ascii=False)
