"""A report of `curate tune` as one HTML file: pictures are inline SVG, nothing is fetched, nothing runs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from curation_dagster.commands import tune_text
from curation_dagster.commands.tune_text import number, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from curation_dagster.clean.ladder import Ladder
    from curation_dagster.clean.spread import Spread
    from curation_dagster.commands.beside import Samples
    from curation_dagster.commands.tune import Report

_BINS = 48
_WIDE, _HIGH = 880, 240  # of a picture, px
_STYLE = """
:root { color-scheme: light dark; --ink: #1c1f26; --soft: #5b6472; --line: #d9dde4; --page: #fff; --bar: #4f46e5; --mark: #c2410c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e9ee; --soft: #a3abb8; --line: #3a404b; --page: #16181d; --bar: #8b85f5; --mark: #fb923c; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; } p { margin: .3rem 0; }
.soft { color: var(--soft); } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .15rem .9rem .15rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; } .words { text-align: left; white-space: normal; } .now { font-weight: 700; }
svg { width: 100%; height: auto; } rect { fill: var(--bar); } line { stroke: var(--mark); stroke-width: 1.5; }
text { fill: var(--soft); font-size: 12px; } text.mark { fill: var(--mark); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0 1rem; padding: .5rem .8rem; border-left: 3px solid var(--line); font-size: 13px; }
pre.kept { border-color: #16a34a; } pre.rejected { border-color: #dc2626; }
"""  # noqa: E501


def page(report: Report) -> str:
    """Write the report; everything that comes from documents or recipes is escaped."""
    name = escape(report.signal.name)
    body = [
        f"<h1>{name}</h1>",
        f"<p>{escape(report.signal.definition)}</p>",
        f'<p class="soft">{escape(report.stage)} of {escape(report.recipe)}: {escape(tune_text.counted(report))}</p>',
        *(f"<p>{escape(rule)}</p>" for rule in report.rules or ["no rule on it"]),
    ]
    if report.spread and report.spread.count:
        body += ["<h2>Distribution</h2>", _picture(report), _quantiles(report.spread)]
    if report.values:
        head, *rows = tune_text.value_rows(report.values, ruled=bool(report.rules))
        body += ["<h2>Values</h2>", _table(head, rows, words=0)]
    body += [part for ladder in report.ladders for part in _ladder(ladder)]
    body += [part for each in report.samples for part in _samples(each)]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head_ = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{name}: {escape(report.recipe)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
    ]
    return "\n".join([*head_, *body, "</body>\n</html>\n"])


def _picture(report: Report) -> str:
    """Draw the histogram, a rectangle a bin, and a line for every threshold somebody has in its bin."""
    bars, scale = tune_text.bars(report, _BINS)
    tallest = max(bar.docs for bar in bars)
    step, base = _WIDE / len(bars), _HIGH - 20
    marked = [(i, mark) for i, bar in enumerate(bars) for mark in bar.marks]
    top = 16 * len(marked)
    parts = [f'<svg viewBox="0 0 {_WIDE} {_HIGH + top}" role="img" aria-label="histogram">']
    for i, bar in enumerate(bars):
        high = max((base - 10) * bar.docs / tallest, 1 if bar.docs else 0)
        parts.append(
            f'<rect x="{i * step:.1f}" y="{base + top - high:.1f}" width="{step - 1:.1f}" height="{high:.1f}">'
            f"<title>{escape(bar.label)}: {bar.docs:,}</title></rect>"
        )
    for n, (i, mark) in enumerate(marked):
        x, y = (i + 0.5) * step, 16 * n + 12
        right = x > _WIDE / 2
        anchor, beside = ("end", x - 5) if right else ("start", x + 5)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 10}" y2="{base + top}"/>'
            f'<text class="mark" x="{beside:.1f}" y="{y}" text-anchor="{anchor}">{escape(mark)}</text>'
        )
    low, high_ = escape(bars[0].label.split(" - ")[0]), escape(bars[-1].label.split(" - ")[1])
    parts.append(f'<text x="0" y="{_HIGH + top - 4}">{low}</text>')
    parts.append(
        f'<text x="{_WIDE / 2}" y="{_HIGH + top - 4}" text-anchor="middle">documents, {scale}</text>'
    )
    parts.append(f'<text x="{_WIDE}" y="{_HIGH + top - 4}" text-anchor="end">{high_}</text></svg>')
    return "".join(parts)


def _quantiles(spread: Spread) -> str:
    names = ["min", *(name for _, name in tune_text.QUANTILES), "max", "mean"]
    found = [
        spread.minimum,
        *(spread.quantile(s) for s, _ in tune_text.QUANTILES),
        spread.maximum,
        spread.mean,
    ]
    return _table(names, [[number(value) for value in found]])


def _ladder(ladder: Ladder) -> list[str]:
    low = ladder.bound.field.startswith("min_")
    head = [
        "at least" if low else "at most",
        "rejects", "%", "% of bytes", "in addition", "%", "% of bytes", "kept in all, %", "",
    ]  # fmt: skip
    rows, now = [], []
    for rung in ladder.rungs:
        kept = ladder.docs - ladder.other_docs - rung.added_docs
        rows.append(
            [
                number(rung.threshold),
                f"{rung.docs:,}",
                percent(rung.docs, ladder.docs),
                percent(rung.bytes, ladder.bytes),
                f"{rung.added_docs:,}",
                percent(rung.added_docs, ladder.docs),
                percent(rung.added_bytes, ladder.bytes),
                percent(kept, ladder.docs),
                ", ".join(rung.marks),
            ]
        )
        now.append("now" in rung.marks)
    return [
        f"<h2>{escape(tune_text.title(ladder))}</h2>",
        f'<p class="soft">{escape(tune_text.others(ladder))}</p>',
        _table(head, rows, now, words=len(head) - 1),
    ]


def _samples(samples: Samples) -> list[str]:
    found = [f"<h2>{escape(samples.title[:1].upper() + samples.title[1:])}</h2>"]
    for document in samples.documents:
        found.append(f"<p><code>{escape(document.doc_id)}</code> {escape(document.value)}</p>")
        side = "kept" if samples.kept else "rejected"
        found.append(f'<pre class="{side}">{escape(document.text)}</pre>')
    return found if samples.documents else [*found, '<p class="soft">none</p>']


def _table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    bold: Iterable[bool] = (),
    *,
    words: int = -1,
) -> str:
    """Write a table: numbers stand to the right, the column `words` to the left."""

    def line(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=words' if i == words else ''}>{escape(cell)}</{tag}>"
            for i, cell in enumerate(row)
        )

    marked = list(bold) or [False] * len(rows)
    lines = [
        f"<tr{' class=now' if now else ''}>{line('td', row)}</tr>"
        for row, now in zip(rows, marked, strict=True)
    ]
    return "\n".join(
        ['<div class="wide"><table>', f"<tr>{line('th', head)}</tr>", *lines, "</table></div>"]
    )
