"""What the probes of `scanned` say (`decontaminate.probes`): whether the cascade finds what it must, and nothing else.

Reads footers alone, so that checks, the release and the report say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curation_dagster.recipe_decontaminate import Decontaminate

KINDS: Final = ("verbatim", "restyled", "edited", "paraphrased")
COPIED: Final = KINDS[:2]
WHOLE: Final = "cascade"
FUZZY: Final = "rare_terms"  # the step that must find what is rewritten
_FINDERS: Final = ("exact", "ngrams", FUZZY)  # the others judge what is found


def expected(step: str, kind: str, steps: Iterable[str]) -> bool:
    """Say whether a step must find items written so."""
    if step == FUZZY:
        return kind not in COPIED
    return kind in COPIED or (step == WHOLE and FUZZY in steps)


def failures(probes: dict[str, Any], config: Decontaminate) -> list[str]:
    """Name what failed: benchmark, step, kind, and the numbers; none for a recipe without benchmarks."""
    gates, found = config.probes, []
    if list(probes["steps"]) != list(config.steps):
        found.append(
            f"probed were the steps {probes['steps']}, the recipe has {list(config.steps)}"
        )
    for benchmark in config.benchmarks:
        name = benchmark.name
        if not probes["items"].get(name):
            found.append(f"{name}: holds no item")
        elif not any(row["benchmark"] == name for row in probes["planted"]):
            found.append(
                f"{name}: none of its {probes['items'][name]:,} items is long enough to be found"
            )
    asked = {row["step"] for row in probes["planted"] if row["planted"]}
    if (
        held := sum(probes["items"].values())
    ) >= gates.items:  # of fewer, a step may know too little
        blind = [s for s in _FINDERS if s in config.steps and s not in asked]
        found += [f"{step}: can find none of {held:,} items" for step in blind]
    found += [
        f"{row['benchmark']}: {FUZZY} finds none of {row['planted']} verbatim"
        for row in probes["planted"]
        if (row["step"], row["kind"], row["found"]) == (FUZZY, KINDS[0], 0)
    ]
    for row in probes["planted"]:
        step, kind, planted, hit = (row[k] for k in ("step", "kind", "planted", "found"))
        least = gates.min_copied_share if kind in COPIED else gates.min_edited_share
        if expected(step, kind, config.steps) and hit < least * planted:
            found.append(
                f"{row['benchmark']}: {step} finds {hit} of {planted} {kind}, at least {least:.0%} required"
            )
    allowed = f"at most {gates.max_clean_share:.0%} allowed"
    return found + [
        f"{', '.join(r['benchmarks'])}: {r['hit']} of {r['texts']} clean texts taken for contaminated, {allowed}"
        for r in probes["clean"]
        if r["step"] == WHOLE and r["hit"] > gates.max_clean_share * r["texts"]
    ]
