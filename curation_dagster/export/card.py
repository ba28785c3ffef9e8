"""The dataset card: what a release holds, where it comes from, what was removed and why, as markdown."""

from __future__ import annotations

from typing import Any, Final

from curation_dagster.funnel import top_reasons

_FINDINGS: Final = 5  # of an acceptance; the manifest has them all


def card(manifest: dict[str, Any]) -> str:
    """Write the card of a manifest."""
    parts = [
        f"# {manifest['recipe']}",
        manifest["description"] or "No description in the recipe.",
        f"{manifest['rows']:,} training documents, {manifest['tokens']:,} tokens, {len(manifest['files'])} files. "
        f"Recipe digest `{manifest['recipe_digest']}`; the same recipe and inputs give the same bytes.",
        "## Sources",
        _table(("source", "documents", "tokens"), manifest["sources"]),
        "## Mixture",
        _table(
            (
                "phase",
                "domain",
                "supply_tokens",
                "target_tokens",
                "planned_tokens",
                "epochs",
                "reason",
            ),
            manifest["mixture"],
        ),
        "## Licences the pages declare",
        _table(("license", "documents", "tokens"), manifest["licenses"]),
        "## What was removed",
        funnel_table(manifest["funnel"]),
        "## Benchmarks looked for",
        _table(
            ("name", "version", "split", "language", "licence", "action", "sha256"),
            manifest["benchmarks"],
        )
        if manifest["benchmarks"]
        else "None.",
        *([_benchmarks(manifest["contamination"])] if manifest["contamination"] else []),
        "## Gates that failed and were accepted",
        _gates(manifest["gates"]),
        "## Audit",
        _audit(manifest["audit"]),
        "## Files",
        _table(("name", "rows", "tokens", "sha256"), manifest["files"]),
    ]
    return "\n\n".join(parts) + "\n"


def funnel_table(stages: list[dict[str, Any]]) -> str:
    """Write a funnel as a markdown table."""
    rows = [
        {
            "stage": s["stage"],
            "in": s["rows_in"],
            "kept": s["kept"],
            "tokens kept": s["tokens_kept"],
            "top reasons": ", ".join(f"{rule} {count:,}" for rule, count in _reasons(s)),
        }
        for s in stages
    ]
    return _table(("stage", "in", "kept", "tokens kept", "top reasons"), rows)


def _benchmarks(found: list[dict[str, Any]]) -> str:
    """Write how much of each benchmark there was, as a table."""
    columns = (
        "benchmark",
        "items",
        "undetectable",
        "seen_before",
        "seen_after",
        "by_method",
        "documents",
    )
    told = [
        row | {name: _listed(row[name]) for name in ("by_method", "documents")} for row in found
    ]
    return _table(columns, told)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)


def _reasons(stage: dict[str, Any]) -> list[tuple[str, int]]:
    """Name the reasons, and what was cut instead."""
    cut = [("(documents cut)", stage["cut_documents"])] if "cut_documents" in stage else []
    return top_reasons(stage) + cut


def _gates(accepted: list[dict[str, Any]]) -> str:
    """Write who accepted what, and why: a row an acceptance, with its first findings."""
    if not accepted:
        return "None failed."
    rows: dict[str, dict[str, Any]] = {}
    for gate in accepted:
        row = rows.setdefault(gate["record"], {**gate, "gates": 0, "findings": []})
        row["gates"] += 1
        row["findings"].append(gate["said"])
    for row in rows.values():
        more = len(row["findings"]) - _FINDINGS
        shown = [*row["findings"][:_FINDINGS], *([f"{more:,} more"] if more > 0 else [])]
        row["findings"] = "; ".join(shown)
    columns = ("stage", "check", "gates", "findings", "by", "at", "because", "record")
    return _table(columns, list(rows.values()))


def _audit(audit: dict[str, Any]) -> str:
    across = " within a source (the recipe keeps those of other sources)"
    kept = across if audit["within_source"] else ""
    kept += " (the recipe keeps them)" if audit["duplicates_allowed"] else ""
    return (
        f"An independent pass over {audit['documents']:,} documents found {audit['duplicates']} exact duplicates{kept} "
        f"and {audit['contaminated']} documents with benchmark n-grams ({audit['ngrams_searched']:,} searched)."
    )


def _table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(c)) for c in columns) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:  # noqa: ANN401 - a plain value
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    return (
        f"{value:,}"
        if isinstance(value, int)
        else str(value).replace("|", "\\|").replace("\n", " ")
    )
