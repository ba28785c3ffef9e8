"""`curate signals` and `curate presets`: what can be measured, and which thresholds people have published on it."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING, Any

import click

from curation_dagster.annotate.catalogue import Section, definitions, sections
from curation_dagster.clean.rules import bounds_of
from curation_dagster.errors import RecipeError
from curation_dagster.nearest import nearest
from curation_dagster.recipe_file import preset_steps, presets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curation_dagster.annotate.family import Signal
    from curation_dagster.clean.rules import Bound

_HEAD = """# Signals

What the steps of a recipe measure of a document, and rules can be about. A signal that could not be measured is null,
and null passes no rule. [rules.md](rules.md) says how to choose thresholds. `make docs` writes this file.
"""


_NARROWEST = 30


def published() -> dict[str, list[tuple[str, Bound]]]:
    """Return for each signal the thresholds that presets have on it."""
    found: dict[str, list[tuple[str, Bound]]] = {}
    for name in presets():
        for step in preset_steps(name):
            for bound in bounds_of(step):
                if bound.value is not None:
                    found.setdefault(bound.signal, []).append((name, bound))
    return found


def said(bound: Bound) -> str:
    """Write a threshold as a person would: at least 50."""
    if bound.value is None:
        return "off"
    side = "at least" if bound.field.startswith("min_") else "at most"
    return f"{side} {bound.value:,.10g}"


def kind(signal: Signal) -> str:
    """Name a signal's type as a person would."""
    name = str(signal.dtype)
    if name.startswith("List"):
        return "list"
    known = {"String": "text", "Boolean": "yes or no"}
    return known.get(name, "number" if name.startswith("Float") else "count")


def markdown() -> str:
    """Write the catalogue as docs/signals.md."""
    parts = [_HEAD]
    for section, rows in _rows():
        parts.append(f"## {section.title}\n\nStep `{section.step}`. Source: {section.source}.\n")
        named = [(f"`{name}`", *rest) for name, *rest in rows]
        parts.append(_table(("signal", "type", "definition", "presets"), named))
    return "\n".join(parts)


def print_signals() -> None:
    """Print the catalogue, family by family."""
    for section, rows in _rows():
        click.secho(f"\n{section.title}", bold=True, nl=False)
        click.echo(f": {section.step} ({section.source})")
        click.echo(
            aligned(
                [
                    (name, kind_, f"{definition} {f'[{bounds}]' if bounds else ''}")
                    for name, kind_, definition, bounds in rows
                ]
            )
        )


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns of rows; the last is wrapped to the terminal's width, below the others if there is no room."""
    *widths, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    across = shutil.get_terminal_size().columns
    indent = 2 + sum(width + 2 for width in widths)
    lines = []
    for *first, last in rows:
        cells = [cell.ljust(width) for cell, width in zip(first, widths, strict=True)]
        start = "  " + "  ".join([*cells, ""])
        if across - indent >= _NARROWEST:
            lines += textwrap.wrap(start + last, across, subsequent_indent=" " * indent) or [start]
        else:
            lines.append(start.rstrip())
            lines += textwrap.wrap(
                last, max(across, _NARROWEST), initial_indent=" " * 6, subsequent_indent=" " * 6
            )
    return "\n".join(line.rstrip() for line in lines)


def list_presets() -> None:
    """Print a line a preset: name, title, source, steps."""
    for name, preset in presets().items():
        steps = ", ".join(step.get("judge") or step["edit"] for step in preset["steps"])
        click.echo(f"{name}: {preset['title']} ({preset['source']}): {steps}")


def show_preset(name: str) -> None:
    """Print every field of every step of a preset, with the signal it bounds and what that is.

    Raises:
        RecipeError: when there is no such preset.
    """
    known = presets()
    if name not in known:
        msg = f"no preset {name!r}{nearest(name, known)}; there are {', '.join(known)}"
        raise RecipeError(msg)
    click.echo(f"{name}: {known[name]['title']}\nsource: {known[name]['source']}")
    for step in preset_steps(name):
        step_kind, step_name = next((k, v) for k, v in step if k in {"judge", "edit"})
        click.secho(f'\n{step_kind} = "{step_name}"', bold=True)
        if rows := list(_fields(step)):
            click.echo(aligned(rows))


def _fields(step: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - any step
    """Yield field, value, and the signal with its definition; a field without a signal says how to measure."""
    signals, bounds = definitions(), {b.field: b for b in bounds_of(step)}
    for field, value in step:
        if field in {"judge", "edit"}:
            continue
        if bound := bounds.get(field):
            known = signals.get(bound.signal)
            about = f"{bound.signal}: {known.definition}" if known else bound.signal
            yield field, "off" if value is None else f"{value:,.10g}", about
        else:
            about = type(step).model_fields[field].description or ""
            if isinstance(value, tuple):
                yield field, f"({len(value)})", f"{' '.join(map(str, value))} - {about}"
            else:
                plain = isinstance(value, bool) or value is None
                yield field, str(value).lower() if plain else str(value), about


def _rows() -> Iterator[tuple[Section, list[tuple[str, str, str, str]]]]:
    known = published()
    for section in sections():
        yield (
            section,
            [
                (s.name, kind(s), s.definition, _by_threshold(known.get(s.name, [])))
                for s in section.signals
            ],
        )


def _by_threshold(bounds: Sequence[tuple[str, Bound]]) -> str:
    """Write thresholds with the presets that have them: at least 50: fineweb2, gopher-2021."""
    found: dict[str, list[str]] = {}
    for name, bound in bounds:
        found.setdefault(said(bound), []).append(name)
    return "; ".join(f"{threshold}: {', '.join(names)}" for threshold, names in found.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"
