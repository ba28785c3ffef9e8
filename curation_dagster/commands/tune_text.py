"""A report of `curate tune` as plain text, as wide as the terminal."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from curation_dagster.counted import counted as plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curation_dagster.clean.ladder import Ladder, Rung, Values
    from curation_dagster.clean.spread import Spread
    from curation_dagster.commands.beside import Samples
    from curation_dagster.commands.tune import Report

QUANTILES = (
    (0.01, "1 %"), (0.1, "10 %"), (0.25, "25 %"), (0.5, "median"), (0.75, "75 %"), (0.9, "90 %"), (0.99, "99 %"),
)  # fmt: skip
MOST_VALUES = 20
_BINS = 24
_FIXED = "\xa0"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_NARROW = 72  # columns; below, a ladder shows shares only


def text(report: Report, width: int) -> str:
    """Write a report, no line longer than `width` where words allow."""
    parts = [list(_head(report, width))]
    if report.spread and report.spread.count:
        parts += [list(_quantiles(report.spread, width)), list(_histogram(report, width))]
    if report.values:
        parts.append(list(_values(report.values, width, ruled=bool(report.rules))))
    parts += [list(_ladder(ladder, width)) for ladder in report.ladders]
    parts += [list(_samples(each, width)) for each in report.samples]
    return "\n\n".join("\n".join(lines) for lines in parts)


def number(value: float, digits: int = 6) -> str:
    """Write a number with at most so many digits that count; whole ones whole.

    >>> number(0.123456789), number(1234567), number(12345.678, 4)
    ('0.123457', '1,234,567', '12,346')
    """
    return f"{value:,.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:,.{digits}g}"


def percent(part: float, whole: float) -> str:
    """Write a share in percent, small ones with more digits.

    >>> percent(1, 3), percent(1, 4000), percent(1, 10**6), percent(0, 9), percent(1, 0)
    ('33.3', '0.03', '<0.01', '0', '-')
    """
    if not whole:
        return "-"
    share = 100 * part / whole
    if 0 < share < 0.01:  # noqa: PLR2004 - what two digits can say
        return "<0.01"
    return "0" if not part else f"{share:.2f}" if share < 1 else f"{share:.1f}"


def title(ladder: Ladder) -> str:
    """Name the bound a ladder is for."""
    bound = ladder.bound
    if not bound.judge:
        return "as a minimum" if bound.field == "min_" else "as a maximum"
    value = "off" if bound.value is None else number(bound.value)
    return f"{bound.judge}.{bound.field}, now {value}"


def others(ladder: Ladder) -> str:
    """Say what the recipe rejects without this bound."""
    share = percent(ladder.other_docs, ladder.docs)
    bytes_ = percent(ladder.other_bytes, ladder.bytes)
    documents = plural(ladder.other_docs, "document")
    return f"the other rules reject {documents} ({share} %; {bytes_} % of the bytes)"


def counted(report: Report) -> str:
    """Say what was read."""
    if report.spread:
        known, nulls = report.spread.count, report.spread.nulls
    else:
        rows = report.values.rows() if report.values else []
        nulls = sum(r.docs for r in rows if r.value is None)
        known = sum(r.docs for r in rows) - nulls
    missing = f" ({report.shards_missing} more not current)" if report.shards_missing else ""
    null = f", {nulls:,} without a value, which pass no rule" if nulls else ""
    shards = plural(report.shards, "shard")
    return f"{plural(known + nulls, 'document')} of {shards}{missing}{null}"


class Bar(NamedTuple):
    """A bin of the histogram, and the thresholds that lie in it, each with those who have it."""

    label: str
    docs: int
    marks: list[str]


def bars(report: Report, bins: int = _BINS) -> tuple[list[Bar], str]:
    """Return the histogram with the thresholds of recipe and presets in the bins they fall into, and its scale."""
    if report.spread is None:
        return [], ""
    whole = report.signal.dtype.is_integer()
    edges, counts, logarithmic = report.spread.histogram(bins, whole=whole)
    marked: dict[float, list[str]] = {}
    for ladder in report.ladders:
        for rung in ladder.rungs:
            known = marked.setdefault(rung.threshold, [])
            known += [mark for mark in rung.marks if mark not in known]
    marks: list[list[str]] = [[] for _ in counts]
    for threshold, who in sorted(marked.items()):
        if who and counts and edges[0] <= threshold <= edges[-1]:
            at = max(i for i in range(len(counts)) if edges[i] <= threshold)
            marks[at].append(f"{number(threshold)}: {', '.join(who)}")
    shown = [number(edge, 4) for edge in edges]
    shown[:1], shown[-1:] = [number(edges[0])], [number(edges[-1])]
    labels = [f"{a} - {b}" for a, b in pairwise(shown)]
    scale = "bins by the logarithm" if logarithmic else "even bins"
    return [Bar(*each) for each in zip(labels, counts, marks, strict=True)], scale


def _head(report: Report, width: int) -> Iterator[str]:
    head = f"{report.signal.name} in {report.stage} of {report.recipe}: {counted(report)}"
    yield from _wrapped(head, width, "")
    yield from _wrapped(report.signal.definition, width)
    for rule in report.rules or ["no rule on it"]:
        yield from _wrapped(rule, width)


def _quantiles(spread: Spread, width: int) -> Iterator[str]:
    said = [f"min {number(spread.minimum)}"]
    said += [f"{name} {number(spread.quantile(share))}" for share, name in QUANTILES]
    said += [f"max {number(spread.maximum)}", f"mean {number(spread.mean)}"]
    together = "   ".join(s.replace(" ", _FIXED) for s in said)  # a name stays with its number
    yield from (line.replace(_FIXED, " ") for line in _wrapped(together, width))


def _histogram(report: Report, width: int) -> Iterator[str]:
    shown, scale = bars(report)
    yield f"  documents, {scale}"
    label = max(len(bar.label) for bar in shown)
    tallest = max(bar.docs for bar in shown)
    room = max(8, width - label - 16)
    for bar in shown:
        yield f"  {bar.label:>{label}}  {_bar(bar.docs / tallest * room)} {bar.docs:,}"
        if bar.marks:
            yield from _wrapped(f"^ {', '.join(bar.marks)}", width, " " * (label + 4))


def _bar(length: float) -> str:
    eighths = max(round(8 * length), 1 if length else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _ladder(ladder: Ladder, width: int) -> Iterator[str]:
    yield from _wrapped(f"{title(ladder)}: {others(ladder)}", width, "")
    low = ladder.bound.field.startswith("min_")
    wide = width >= _NARROW
    head = [
        "at least" if low else "at most",
        "rejects",
        "%",
        "% bytes",
        "in addition",
        "%",
        "% bytes",
        "kept %",
    ]
    rows = [_rung(ladder, rung) for rung in ladder.rungs]
    shown = [i for i in range(len(head)) if wide or i not in {1, 4}]
    if not wide:
        head[2], head[5] = "alone %", "added %"
    widths = [max(len(row[i]) for row in [head, *rows]) for i in shown]
    for row, marks in zip([head, *rows], ["", *(r.marks for r in ladder.rungs)], strict=True):
        cells = "  ".join(row[i].rjust(w) for i, w in zip(shown, widths, strict=True))
        line = f"  {cells}"
        beside = f"  {', '.join(marks)}" if marks else ""
        yield line + (beside if len(line + beside) <= width else "")
        if len(line + beside) > width:
            yield from _wrapped(f"^ {', '.join(marks)}", width, " " * 4)


def _rung(ladder: Ladder, rung: Rung) -> list[str]:
    return [
        number(rung.threshold),
        f"{rung.docs:,}",
        percent(rung.docs, ladder.docs),
        percent(rung.bytes, ladder.bytes),
        f"{rung.added_docs:,}",
        percent(rung.added_docs, ladder.docs),
        percent(rung.added_bytes, ladder.bytes),
        percent(ladder.docs - ladder.other_docs - rung.added_docs, ladder.docs),
    ]


def _values(values: Values, width: int, *, ruled: bool) -> Iterator[str]:
    rows = value_rows(values, ruled=ruled)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    widths[0] = min(widths[0], max(12, width - sum(widths[1:]) - 2 * len(widths)))
    for row in rows:
        cells = [row[0][: widths[0]].ljust(widths[0])]
        cells += [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        yield f"  {'  '.join(cells)}".rstrip()
    if values.left_out:
        yield "  more values than are counted: the rarest are left out, and counts of rare ones too small"


def value_rows(values: Values, *, ruled: bool) -> list[list[str]]:
    """Return a heading and a row a value, the most frequent of them."""
    head = ["value", "documents", "%", "% bytes", "others keep"]
    found = values.rows()
    rows = []
    for r in found[:MOST_VALUES]:
        name = "not measured" if r.value is None else r.value
        share = percent(r.docs, values.docs)
        row = [name, f"{r.docs:,}", share, percent(r.bytes, values.bytes), f"{r.left:,}"]
        verdict = "kept" if r.kept == r.docs else "rejected" if not r.kept else f"{r.kept:,} kept"
        rows.append([*row, verdict] if ruled else row)
    if rest := found[MOST_VALUES:]:
        docs = sum(r.docs for r in rest)
        bytes_, left = sum(r.bytes for r in rest), sum(r.left for r in rest)
        row = [f"{len(rest)} more", f"{docs:,}", percent(docs, values.docs)]
        row += [percent(bytes_, values.bytes), f"{left:,}"]
        rows.append([*row, f"{sum(r.kept for r in rest):,} kept"] if ruled else row)
    return [[*head, "now"] if ruled else head, *rows]


def _samples(samples: Samples, width: int) -> Iterator[str]:
    yield from _wrapped(f"{samples.title}:" + ("" if samples.documents else " none"), width, "")
    for document in samples.documents:
        yield f"  {document.doc_id}  {document.value}"
        for line in document.text.split("\n"):
            yield from _wrapped(line, width, " " * 6)


def _wrapped(line: str, width: int, indent: str = "  ") -> Sequence[str]:
    wide = max(width, len(indent) + 20)
    return textwrap.wrap(line, wide, initial_indent=indent, subsequent_indent=indent)
