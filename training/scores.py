"""How good an extraction is: word F1 against gold text, segment F1 against segments that must (not) be there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from training.pages import TRAFILATURA, WCXB, Example, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def word_f1(ours: str, gold: str) -> float:
    """Return the F1 of two bags of words; two empty texts agree."""
    a, b = Counter(words(ours)), Counter(words(gold))
    if not a and not b:
        return 1.0
    return 2 * (a & b).total() / (a.total() + b.total())


def segments(ours: str, must: Sequence[str], must_not: Sequence[str]) -> Counter[str]:
    """Count segments found and missed: tp, fn, fp, tn."""
    text = " ".join(words(ours))
    counts: Counter[str] = Counter()
    for segment in must:
        counts["tp" if " ".join(words(segment)) in text else "fn"] += 1
    for segment in must_not:
        counts["fp" if " ".join(words(segment)) in text else "tn"] += 1
    return counts


def report(
    examples: Sequence[Example], texts: Sequence[str], gold: Callable[[Example], str]
) -> dict[str, float | int]:
    """Score one set's texts: mean word F1, by page type too for WCXB; precision, recall and F1 of segments."""
    if examples[0].set_name == TRAFILATURA:
        counts: Counter[str] = Counter()
        for example, text in zip(examples, texts, strict=True):
            counts += segments(text, example.gold["with"], example.gold["without"])
        precision = counts["tp"] / max(counts["tp"] + counts["fp"], 1)
        recall = counts["tp"] / max(counts["tp"] + counts["fn"], 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        return {
            "pages": len(examples),
            "precision": round(precision, 4),
            "recall": round(recall, 4),
            "f1": round(f1, 4),
        }
    scores = [word_f1(text, gold(example)) for example, text in zip(examples, texts, strict=True)]
    result: dict[str, float | int] = {
        "pages": len(examples),
        "f1": round(sum(scores) / len(scores), 4),
    }
    if examples[0].set_name == WCXB:
        kinds = [str(example.gold["page_type"]) for example in examples]
        for kind in sorted(set(kinds)):
            held = [s for s, k in zip(scores, kinds, strict=True) if k == kind]
            result[f"f1_{kind}"] = round(sum(held) / len(held), 3)
    return result
