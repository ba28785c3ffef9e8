"""The laws and gates of every stage as asset checks: declared with the asset, evaluated inside its step.

Gates that protect a partition have already raised before it was committed; these say so in the UI,
look again from the outside, and compare with the recipe's bands.
"""

from collections.abc import Callable
from typing import Any

import dagster as dg

from curation_dagster import gate_judge, gates, probed, table
from curation_dagster.clean.rules import rules_of
from curation_dagster.decontaminate import judge
from curation_dagster.decontaminate.account import items_found
from curation_dagster.dedup import figures
from curation_dagster.job import Receipt
from curation_dagster.lineage import BY_NAME, Lineage
from curation_dagster.orchestration.source_checks import fresh, like_its_past

Finding = tuple[bool, dict[str, Any]]
Check = Callable[[Lineage, str, list[Receipt]], Finding]
_WARN = {"text_left", "budget", "undamaged", "rules_fired", "buckets_sampled", "like_its_past"}
_SOME_ROWS, _ENOUGH_ROWS = 100, 10_000  # documents of which a useful rule keeps one; rejects one


def described(stage: str) -> dict[str, str]:
    """Return the names of a stage's checks and what each asserts."""
    return {name: (check.__doc__ or "").strip() for name, check in _of(stage).items()}


def results(
    lineage: Lineage, key: dg.AssetKey, stage: str, receipts: list[Receipt]
) -> list[dg.AssetCheckResult]:
    """Evaluate a stage's checks over the partitions of this run."""
    found = []
    for name, check in _of(stage).items():
        passed, metadata = check(lineage, stage, receipts)
        severity = dg.AssetCheckSeverity.WARN if name in _WARN else dg.AssetCheckSeverity.ERROR
        if not passed and gates.CHECKS.get(stage) == name:
            if by := _accepted(lineage, stage, receipts):
                severity = dg.AssetCheckSeverity.WARN
            metadata |= {"accepted": by or "no: curate gates"}
        found.append(
            dg.AssetCheckResult(
                asset_key=key,
                check_name=name,
                passed=passed,
                severity=severity,
                description=None if passed else _message(metadata),
                metadata={label: shown(value) for label, value in metadata.items()},
            )
        )
    return found


def conservation(lineage: Lineage, stage: str, receipts: list[Receipt]) -> Finding:
    """Every document the stage before kept has one row here, and kept + rejected = rows."""
    wrong: list[str] = []
    follows = BY_NAME[stage].follows
    for receipt in receipts:
        s = receipt.summary
        if s["kept"] + sum(s["rejected"].values()) != s["rows"]:
            wrong.append(f"{receipt.ref.partition}: kept and rejected do not add up to {s['rows']}")
        parent = lineage.current(follows, receipt.ref.partition) if follows else None
        if parent and (came := lineage.footer(parent)["kept"]) != s["rows"]:
            wrong.append(f"{receipt.ref.partition}: {came} came in, {s['rows']} rows")
    return not wrong, {"partitions": len(receipts), "wrong": wrong[:20]}


def schema(lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """Every partition has the same columns and types, `row` and `doc_id` among them in a per-shard table."""
    seen: dict[str, list[str]] = {}
    for receipt in receipts:
        with lineage.store.open(receipt.ref) as stream:
            columns = table.columns(stream)
        seen.setdefault(str(columns), []).append(receipt.ref.partition)
    keyed = all("doc_id" in columns for columns in seen)
    return len(seen) <= 1 and keyed, {"schemas": len(seen), "partitions": len(receipts)}


def retention(lineage: Lineage, stage: str, receipts: list[Receipt]) -> Finding:
    """The share of documents kept lies inside the recipe's band [gates]: of these shards together, and of each."""
    rows = sum(r.summary["rows"] for r in receipts)
    kept = sum(r.summary["kept"] for r in receipts)
    share = kept / rows if rows else 1.0
    band = lineage.recipe.gates
    inside = band.min_retention <= share <= band.max_retention
    found = gates_of(lineage, stage, receipts)
    outside = [gate.said for gate in reversed(found)]  # all shards first
    return inside and not outside, {
        "kept_share": share, "min": band.min_retention, "max": band.max_retention, "reason": outside[:20],
    }  # fmt: skip


def licenses(lineage: Lineage, stage: str, receipts: list[Receipt]) -> Finding:
    """Every document with text has a licence that [gates] licenses allows, where the recipe names any."""
    refused = [gate.said for gate in gates_of(lineage, stage, receipts)]
    seen: dict[str, int] = {}
    for receipt in receipts:
        for name, count in receipt.summary["licenses"].items():
            seen[name] = seen.get(name, 0) + count
    most = dict(sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:20])
    return not refused, {"reason": refused[:20], "seen": most}


def undamaged(_lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """No input file holds bytes that could not be read as records; those that could not have rows of their own."""
    accounts = [r.summary["account"] for r in receipts]
    shown = [f"{d['at']}: {d['bytes']:,} bytes: {d['why']}" for a in accounts for d in a["damaged"]]
    ranges = sum(a["damaged_ranges"] for a in accounts)
    lost = sum(a["damaged_bytes"] for a in accounts)
    return ranges == 0, {"damaged_ranges": ranges, "damaged_bytes": lost, "damaged": shown[:20]}


def rules_saw_columns(lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """Every rule of the recipe was applied and found its signal measured for at least one document."""
    wanted = rules_of(lineage.recipe.steps)
    rows = sum(r.summary["rows"] for r in receipts)
    nulls: dict[str, int] = {}
    for receipt in receipts:
        for column, count in receipt.summary["unmeasured"].items():
            nulls[column] = nulls.get(column, 0) + count
    applied = {rule for r in receipts for rule in r.summary["rules"]}
    blind = sorted(
        name
        for name, keep in wanted.items()
        if name not in applied
        or (rows and any(nulls.get(c, rows) == rows for c in keep.meta.root_names()))
    )
    return not blind, {"rules": len(wanted), "blind": blind}


def rules_fired(lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """Every rule keeps one of 100 documents or more, and rejects one of 10,000 or more: else it may test nothing.

    Counted whatever the other rules reject. Dolma's published mixes name three signals that its taggers call
    otherwise, and such a rule is silent.
    """
    rows = sum(r.summary["rows"] for r in receipts)
    failed = dict.fromkeys(rules_of(lineage.recipe.steps), 0)
    for receipt in receipts:
        for rule, count in receipt.summary["failed"].items():
            failed[rule] = failed.get(rule, 0) + count
    always = [rule for rule, count in failed.items() if rows and count == rows]
    never = [rule for rule, count in failed.items() if rows and not count]
    reasons = [f"{r} rejects all {rows:,} documents" for r in always if rows >= _SOME_ROWS]
    reasons += [f"{r} rejects none of {rows:,} documents" for r in never if rows >= _ENOUGH_ROWS]
    rejected = {rule: f"{count:,}" for rule, count in failed.items() if 0 < count < rows}
    return not reasons, {
        "reason": reasons, "documents": rows, "always": always, "never": never, "rejected": rejected,
    }  # fmt: skip


def benchmarks_found(_lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """The steps can find benchmark items whenever the recipe names benchmarks; items that none can find are counted."""
    items = max((r.summary["items"] for r in receipts), default=0)
    undetectable = max((r.summary["undetectable"] for r in receipts), default=0)
    by_method = items_found([r.summary for r in receipts])
    found = sorted(
        {f"{b}/{item}" for b, of in by_method.items() for i in of.values() for item in i}
    )
    named = bool(_lineage.recipe.decontaminate.benchmarks)
    passed = (items > undetectable) if named else True
    return passed, {
        "items": items,
        "undetectable": undetectable,
        "found": found[:100],
        "found_count": len(found),
        "found_by_method": {
            f"{b} {method}": len(items)
            for b, of in by_method.items()
            for method, items in of.items()
        },
    }


def probes_found(lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """Items planted in neutral text are found by every step that must find them, and clean text is not taken for one.

    Each benchmark of the recipe was probed, with the thresholds of the run: a threshold or a file that is not what it
    should be does not pass as a clean corpus.
    """
    config = lineage.recipe.decontaminate
    told = [r.summary["probes"] for r in receipts]
    reasons = sorted({reason for probes in told for reason in probed.failures(probes, config)})
    rows = [row for probes in told[:1] for row in probes["planted"] if row["step"] == probed.WHOLE]
    found = {f"{r['benchmark']} {r['kind']}": f"{r['found']} of {r['planted']}" for r in rows}
    return not reasons, {"reason": reasons[:50], "found": found}


def judge_answered(lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """The judge has an answer to every question, where the recipe asks one; a hit without an answer is not clean.

    `curate benchmarks judge` asks the endpoint what [decontaminate.judge] cache does not hold yet.
    """
    found = {
        name: sum(r.summary["methods"].get(name, 0) for r in receipts)
        for name in (judge.HELD, judge.UNANSWERED)
    }
    unanswered = found[judge.UNANSWERED]
    asked = lineage.recipe.decontaminate.runs("judge")
    return not unanswered, {"asked": asked, "unanswered": unanswered, "held": found[judge.HELD]}


def text_left(_lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """Something stays of at least one document that hits cut; if of none, cutting is dropping."""
    rows, kept = (sum(r.summary[name] for r in receipts) for name in ("rows", "kept"))
    rejected: dict[str, int] = {}
    for receipt in receipts:
        for rule, count in receipt.summary["rejected"].items():
            rejected[rule] = rejected.get(rule, 0) + count
    return bool(kept) or not rows, {"documents": rows, "kept": kept, "rejected": rejected}


def removed_share(lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """No source loses more of its documents as duplicates than the recipe's band [dedup] max_removed allows."""
    config = lineage.recipe.dedup
    rows = [row for r in receipts for row in figures.losses(r.summary, config)]
    shares = {row["source"]: figures.cell(row["removed_share"]) for row in rows}
    over = [
        f"{row['source']} loses {figures.cell(row['removed_share'])} of {row['documents']:,} documents, "
        f"{figures.cell(row['max_removed_share'])} allowed"
        for row in rows
        if row["removed_share"] > row["max_removed_share"]
    ]
    return not over, {"reason": over, "removed": shares}


def buckets_sampled(_lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """Every member of an LSH bucket was compared: none was so large that a sample of it stood for the rest.

    A bucket whose whole sample agrees is taken as one cluster; of one whose sample does not, every member is compared.
    """
    sampled = [bucket for r in receipts for bucket in r.summary["sampled"]]
    taken = [b for b in sampled if b["agreed"] == b["sample"]]
    split = [
        f"{b['agreed']:,} of {b['sample']:,} of {b['members']:,} members agree"
        for b in sampled
        if b["agreed"] < b["sample"]
    ]
    return not sampled, {
        "sampled": len(sampled),
        "taken_as_one": len(taken),
        "documents_taken": sum(b["members"] for b in taken),
        "not_wholly_agreeing": split[:20],
    }


def budget(lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """Every phase meets its token budget, within one document a domain; otherwise the table says why not."""
    with lineage.store.fetch(receipts[0].ref) as (path,):
        rows = table.read(path).to_dicts()
    short = [
        r
        for r in rows
        if r["shortfall_tokens"] and r["reason"] != "the next document would exceed it"
    ]
    unexplained = [r for r in rows if r["shortfall_tokens"] and not r["reason"]]
    shown = {
        f"{r['phase']}/{r['domain']}": f"{r['shortfall_tokens']:,} tokens: {r['reason']}"
        for r in short
    }
    return not short and not unexplained, {"short": shown, "rows": len(rows)}


def copies(lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """The exported rows are the fragments of the copies that mixing gave to documents decontamination kept, exactly.

    Rows are counted, and tokens: what was cut out is in neither.
    """
    found = {
        "rows": sum(r.summary["rows"] for r in receipts),
        "tokens": sum(r.summary.get("tokens_kept", 0) for r in receipts),
    }
    footers = [lineage.footer(ref) for ref in _all(lineage, "decontaminated")]
    wanted = {name: sum(footer[f"exported_{name}"] for footer in footers) for name in found}
    complete = len(receipts) == len(lineage.partitions("exported"))
    said = {"exported": found, "wanted": wanted, "complete": complete}
    return found == wanted or not complete, said


def held_out(_lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """The classifier separates held-out good from ordinary text better than chance."""
    auc = receipts[0].summary["metrics"]["auc"]
    return auc > 0.5, {"auc": auc}  # noqa: PLR2004 - chance


def no_exact_duplicates(_lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """An independent pass over the exported text finds no exact duplicate, unless the recipe keeps them."""
    audit = receipts[0].summary["audit"]
    return not audit["duplicates"] or audit["duplicates_allowed"], {
        "left": audit["duplicates"], "examples": list(audit["duplicate_examples"]),
        "within_source": audit["within_source"],
    }  # fmt: skip


def no_benchmark_ngrams(_lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """An independent pass over the exported text finds no n-gram of a benchmark that must not ship."""
    audit = receipts[0].summary["audit"]
    return not audit["contaminated"], {
        "left": audit["contaminated"], "examples": list(audit["contaminated_examples"]),
        "ngrams_searched": audit["ngrams_searched"],
    }  # fmt: skip


def nothing_erased(_lineage: Lineage, _stage: str, receipts: list[Receipt]) -> Finding:
    """No exported document is one that was taken down (`curate takedown --erase`)."""
    audit = receipts[0].summary["audit"]
    return not audit["erased"], {
        "left": audit["erased"],
        "examples": list(audit["erased_examples"]),
    }


def gates_of(lineage: Lineage, stage: str, receipts: list[Receipt]) -> list[gates.Gate]:
    """Return what of these partitions somebody must accept before the corpus goes on."""
    whole = len(receipts) == len(lineage.partitions(stage))
    return gate_judge.judge(lineage, stage, [(r.ref, r.summary) for r in receipts], whole=whole)


def _accepted(lineage: Lineage, stage: str, receipts: list[Receipt]) -> str:
    """Name who accepted every gate of these partitions; "" where one is open, or none is the reason."""
    known = gates.acceptances(lineage.recipe, lineage.store)
    found = gates_of(lineage, stage, receipts)
    if not found or any(gate.name not in known for gate in found):
        return ""
    return ", ".join(sorted({f"{known[g.name].by}: {known[g.name].because}" for g in found}))


def _message(metadata: dict[str, Any]) -> str:
    """Say in one line why a check failed: the first reason where it names any, else all it found."""
    match metadata.get("reason"):
        case [first, *others]:
            return f"{first} (and {len(others):,} more, below)" if others else str(first)
        case str(reason) if reason:
            return reason
    rounded = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in metadata.items()}
    return str(shown(rounded))


def shown(value: Any) -> Any:  # noqa: ANN401 - whatever a check found
    """Write lists and tables as text; the UI hides JSON and markdown behind a click, empty or not."""
    if isinstance(value, dict):
        return "; ".join(f"{k}: {v}" for k, v in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return value


def _all(lineage: Lineage, stage: str) -> list[Any]:
    refs = [lineage.current(stage, p) for p in lineage.partitions(stage)]
    return [ref for ref in refs if ref]


def _of(stage: str) -> dict[str, Check]:
    per_shard: dict[str, Check] = {"conservation": conservation, "schema": schema}
    special: dict[str, dict[str, Check]] = {
        "raw": per_shard | {"undamaged": undamaged, "fresh": fresh},
        "annotated": per_shard | {"licenses": licenses, "like_its_past": like_its_past},
        "cleaned": per_shard
        | {
            "retention": retention,
            "rules_saw_columns": rules_saw_columns,
            "rules_fired": rules_fired,
            "like_its_past": like_its_past,
        },
        "deduped": per_shard | {"retention": retention, "like_its_past": like_its_past},
        "scored": per_shard | {"like_its_past": like_its_past},
        "duplicates": {
            "schema": schema,
            "removed_share": removed_share,
            "buckets_sampled": buckets_sampled,
        },
        "repeats": {"schema": schema},
        "classifier": {"held_out": held_out},
        "scanned": per_shard
        | {
            "benchmarks_found": benchmarks_found,
            "judge_answered": judge_answered,
            "probes_found": probes_found,
        },
        "trimmed": {"schema": schema, "text_left": text_left},
        "mixture": {"budget": budget},
        "decontaminated": per_shard | {"retention": retention},
        "exported": {"schema": schema, "copies": copies},
        "release": {
            "no_exact_duplicates": no_exact_duplicates,
            "no_benchmark_ngrams": no_benchmark_ngrams,
            "nothing_erased": nothing_erased,
        },
    }
    return special.get(stage, per_shard)
