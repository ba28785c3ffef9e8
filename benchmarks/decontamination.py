"""Rephrased benchmark items found, and clean text left alone: rare terms and re-ranking beside n-grams, as JSON lines.

The row-aligned pairs of llm-decontaminator (items and their rephrased texts), six benchmarks and clean text lie in the
folder named by CURATE_DATA (default: ../shared/data beside the clone). Every rephrased text is a document; all
benchmarks are loaded. Its own item's score counts, or -1 if it was not even a candidate. The threshold is where 2 % of
the *hardest negatives* pass: the best score a text has for another item of the same benchmark. `shipped` is the recall
at the default thresholds. Pairs whose sides have fewer than eight words are left out. Intervals are Wilson's, 95 %.
`clean` searches text that holds no item, at the default thresholds, and shows each hit; with rerank too, by the models
that --rerank-clean names. `alone` loads one benchmark at a time and uses the default
thresholds. MiniLM takes hours for all of it: --clean N takes N documents of each set, evenly spread.

    python benchmarks/decontamination.py [--sample N] [--minilm FOLDER] [--clean N] [--only STEP …]
        [--rerank-clean MODEL …]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import math
import os
import random
import re
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import polars as pl

from curation_dagster.commands.apply import apply
from curation_dagster.decontaminate import exact, ngrams, rare_terms, rerank
from curation_dagster.recipe_decontaminate import Decontaminate

DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[2] / "shared" / "data")
FALSE_POSITIVES = 0.02
MIN_WORDS = 8
MMLU_FIELDS = 6  # question, four choices, the letter of the answer
KINDS = {
    "gsm8k": "math", "humaneval": "code", "mbpp": "code", "mmlu": "prose", "hellaswag": "prose",
    "truthfulqa": "prose", "sociology": "prose", "abstract-algebra": "math",
}  # fmt: skip
PAIRED = ("gsm8k", "humaneval", "sociology", "abstract-algebra")
SIX = tuple(KINDS)[:6]
Item = dict[str, str]


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="rephrased texts of a set; 0: all")
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--clean", type=int, default=8000, help="documents of clean text")
    steps = ("ngrams", "rare_terms", "noise", "static", "minilm", "chinese", "alone", "clean")
    parser.add_argument("--only", nargs="*", choices=steps, default=steps)
    parser.add_argument("--rerank-clean", nargs="*", choices=("static", "minilm"), default=())
    chosen = parser.parse_args()
    if not (DATA / "decontamination").exists():
        print(json.dumps({"skipped": f"no data in {DATA}"}))
        return
    benchmarks = read_benchmarks()
    pairs = {name: read_pairs(name, benchmarks[name], chosen.sample) for name in PAIRED}
    items = table(benchmarks)
    measure_pairs(items, benchmarks, pairs, chosen)
    if "noise" in chosen.only:
        show(noise(table({"gsm8k": benchmarks["gsm8k"]}), benchmarks["gsm8k"]))
    if "chinese" in chosen.only:
        chinese(items)
    if "alone" in chosen.only:
        for name in PAIRED:
            show(alone(name, table({name: benchmarks[name]}), pairs[name]))
    if "clean" in chosen.only:
        six = table({name: benchmarks[name] for name in SIX})
        for step in ("rare_terms", *chosen.rerank_clean):
            clean(six, chosen.clean, step, chosen.minilm)


def measure_pairs(
    items: pl.DataFrame,
    benchmarks: dict[str, list[Item]],
    pairs: dict[str, list[tuple[int, str]]],
    chosen: argparse.Namespace,
) -> None:
    """Search the rephrased texts by each step chosen."""
    if "ngrams" in chosen.only:
        for name, of_set in pairs.items():
            for size in (13, 10, 8, 5):
                show(shared_ngrams(name, benchmarks[name], of_set, size))
    for step in ("rare_terms", "static", "minilm"):
        if step in chosen.only and (step != "minilm" or chosen.minilm):
            for line in recalls(items, pairs, step, chosen.minilm):
                show(line)


def show(line: dict[str, object]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def read_benchmarks() -> dict[str, list[Item]]:
    """Read the six benchmarks and the two sets of MMLU that have rephrased texts."""
    mapped = {
        "gsm8k": ("gsm8k-test", "question", "answer", None),
        "humaneval": ("humaneval", "prompt", "canonical_solution", None),
        "mbpp": ("mbpp-plus", "prompt", "canonical_solution", None),
        "mmlu": ("mmlu-test", "question", "correct", "answers"),
        "hellaswag": ("hellaswag-val", "context", None, "endings"),
        "truthfulqa": ("truthfulqa", "Question", "Best Answer", "Correct Answers"),
    }
    found = {
        name: [
            {part: as_text(row.get(field)) for part, field in
             (("question", question), ("answer", answer), ("choices", choices)) if field}
            for row in lines(DATA / f"benchmarks/{file}.jsonl.gz")
        ]
        for name, (file, question, answer, choices) in mapped.items()
    }  # fmt: skip
    for name in ("sociology", "abstract-algebra"):
        path = DATA / f"decontamination/lmsys-{name.replace('-', '_')}_test.csv.gz"
        rows = list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))
        rows = [row for row in rows if len(row) == MMLU_FIELDS and row[5] in "ABCD"]
        found[name] = [
            {
                "question": row[0],
                "choices": "\n".join(row[1:5]),
                "answer": row[1 + "ABCD".index(row[5])],
            }
            for row in rows
        ]
    return found


def as_text(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines() if line]


def read_pairs(name: str, items: list[Item], sample: int) -> list[tuple[int, str]]:
    """Return (record, rephrased text) where both sides have enough words; evenly spread if sampled."""
    file = {
        "gsm8k": "rephrase_gsm8k", "humaneval": "humaneval_python",
        "sociology": "sociology_test_rephrase_english_filtered_question",
        "abstract-algebra": "abstract_algebra_test_rephrase_english_filtered_question",
    }[name]  # fmt: skip
    texts = [str(row["text"]) for row in lines(DATA / f"decontamination/lmsys-{file}.jsonl.gz")]
    good = [
        (i, text)
        for i, (item, text) in enumerate(zip(items, texts, strict=True))
        if min(words(text), words(item["question"])) >= MIN_WORDS
    ]
    return good[:: max(len(good) // sample, 1)] if sample else good


def words(text: str) -> int:
    return len(re.findall(r"\w+", text))


def table(benchmarks: dict[str, list[Item]]) -> pl.DataFrame:
    """Make ITEMS."""
    rows = [
        (name, str(i), part, item[part])
        for name, items in benchmarks.items()
        for i, item in enumerate(items)
        for part in ("question", "choices", "answer")
        if item.get(part)
    ]
    return pl.DataFrame(rows, ["benchmark", "item", "part", "text"], orient="row")


def config(items: pl.DataFrame, **settings: object) -> Decontaminate:
    names = items["benchmark"].unique(maintain_order=True).to_list()
    benchmarks = [{"name": n, "kind": KINDS[n], "file": {"path": "items"}} for n in names]
    return Decontaminate.model_validate({"benchmarks": benchmarks} | settings)


def shared_ngrams(
    name: str, items: list[Item], pairs: list[tuple[int, str]], size: int
) -> dict[str, object]:
    """Share of the rephrased texts that share a word n-gram with their own item, and with another."""

    def grams(text: str) -> set[tuple[str, ...]]:
        found = re.findall(r"\w+", text.lower())
        return {tuple(found[i : i + size]) for i in range(len(found) - size + 1)}

    of_item = [grams(item["question"] + "\n" + item.get("answer", "")) for item in items]
    of_text = {i: grams(text) for i, text in pairs}
    own = sum(not of_text[i].isdisjoint(of_item[i]) for i in of_text)
    other = sum(
        any(not found.isdisjoint(grams) for j, grams in enumerate(of_item) if j != i)
        for i, found in of_text.items()
    )
    return {"step": f"{size}-grams", "set": name, "pairs": len(pairs), "recall": rate(own, len(pairs)),
            "hits_another_item": rate(other, len(pairs))}  # fmt: skip


def recalls(
    items: pl.DataFrame, pairs: dict[str, list[tuple[int, str]]], step: str, minilm: Path | None
) -> list[dict[str, object]]:
    """Search every rephrased text with all benchmarks loaded."""
    asked = config(items, **settings_of(step, minilm))
    began = time.process_time()
    index = rare_terms.build(items, asked)
    texts = [(name, i, text) for name, of_set in pairs.items() for i, text in of_set]
    documents = pl.Series([text for *_, text in texts])
    open_index = replace(index, thresholds=index.thresholds * 0 - 9)
    found = open_index.find(documents)
    owners = pl.DataFrame(
        [(d, name) for d, (name, *_) in enumerate(texts)], ["doc", "of"], orient="row"
    )
    if step != "rare_terms":
        reranker = rerank.build(items, asked, index)
        found = reranker.candidates(documents, found)
    found = found.join(owners.cast({"doc": pl.UInt32}), on="doc", maintain_order="left")
    found = found.filter(pl.col("of") == pl.col("benchmark"))
    if step == "rare_terms":
        hit = found["score"] >= pl.Series(
            [getattr(asked.rare_terms, KINDS[of]) for of in found["of"]], dtype=pl.Float32
        )
    else:
        scored = found.with_columns(score=reranker.scores(documents, found))
        hit = reranker.settled(found) | (
            scored["score"] >= reranker.asked(found, reranker.settings)
        )
        found = scored
    own, hardest, shipped = [-1.0] * len(texts), [-1.0] * len(texts), [False] * len(texts)
    for doc, item, score, is_hit in found.select(
        "doc", "item", "score", hit.alias("hit")
    ).iter_rows():
        scores = own if item == str(texts[doc][1]) else hardest
        scores[doc] = max(scores[doc], score)
        shipped[doc] |= is_hit and scores is own
    return [
        summary(
            name,
            step,
            [(o, h) for o, h, (n, *_) in zip(own, hardest, texts, strict=True) if n == name],
        )
        | {
            "shipped": rate(
                sum(s for s, (n, *_) in zip(shipped, texts, strict=True) if n == name),
                len(pairs[name]),
            ),
            "cpu_s": round(time.process_time() - began, 1),
        }
        for name in pairs
    ]


def alone(name: str, items: pl.DataFrame, pairs: list[tuple[int, str]]) -> dict[str, object]:
    """Search rephrased texts, and every fourth clean document, for the items of their own benchmark only."""
    index = rare_terms.build(items, config(items))
    found = index.find(pl.Series([text for _, text in pairs]))
    hits = set(found.select("doc", "item").iter_rows())
    own = sum((doc, str(item)) in hits for doc, (item, _) in enumerate(pairs))
    texts = pl.read_parquet(DATA / "bench/text-8000.parquet", columns=["text"])["text"]
    clean_texts = texts.gather_every(4)
    return {
        "step": "alone", "set": name, "pairs": len(pairs), "shipped": rate(own, len(pairs)),
        "clean_documents": len(clean_texts), "hits": index.find(clean_texts)["doc"].n_unique(),
    }  # fmt: skip


def settings_of(step: str, minilm: Path | None) -> dict[str, object]:
    """Return the recipe's section for a step."""
    if step == "rare_terms":
        return {"steps": ["rare_terms"]}
    static = DATA / "models/static-embedding"
    models: dict[str, object] = {
        "static_model": files(static, "weights", "tokenizer"),
        "dense": True,
    }
    if step == "minilm" and minilm:
        models["minilm"] = files(minilm, "weights", "tokenizer", "config")
    return {"steps": ["rare_terms", "rerank"], "rerank": models}


def files(folder: Path, *names: str) -> dict[str, object]:
    of = {"weights": "model.safetensors", "tokenizer": "tokenizer.json", "config": "config.json"}
    return {name: {"path": folder / of[name]} for name in names}


def summary(name: str, step: str, scores: list[tuple[float, float]]) -> dict[str, object]:
    """Recall where so many of the hardest negatives pass."""
    n = len(scores)
    threshold = sorted((h for _, h in scores), reverse=True)[int(FALSE_POSITIVES * n)]
    curve = {}
    for share in (0.005, 0.01, 0.02, 0.05, 0.1):
        at = sorted((h for _, h in scores), reverse=True)[int(share * n)]
        curve[str(share)] = round(sum(o > at for o, _ in scores) / n, 3)
    return {
        "step": step, "set": name, "pairs": n,
        "recall": rate(sum(o > threshold for o, _ in scores), n), "threshold": round(threshold, 3),
        "own_item_first": round(sum(o > h for o, h in scores) / n, 3),
        "candidates": round(sum(o > -1 for o, _ in scores) / n, 3), "recall_at": curve,
    }  # fmt: skip


def rate(hits: int, n: int) -> list[float]:
    """Return a share and its Wilson interval, 95 %."""
    z, p = 1.96, hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [round(p, 3), round(max(middle - half, 0), 3), round(min(middle + half, 1), 3)]


def noise(items: pl.DataFrame, benchmark: list[Item], share: float = 0.1) -> dict[str, object]:
    """Search GSM8K's own questions with so many of their characters replaced, as a scan is read."""
    chance = random.Random(0)  # noqa: S311 - planted errors
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [
        "".join(chance.choice(letters) if chance.random() < share else c for c in item["question"])
        for item in benchmark
    ]
    line: dict[str, object] = {"step": "noise", "set": "gsm8k", "characters_replaced": share}
    for mode in (False, True):
        index = rare_terms.build(items, config(items, rare_terms={"character_noise": mode}))
        found = index.find(pl.Series(texts))
        own = found.filter(pl.col("doc").cast(pl.String) == pl.col("item"))["doc"].n_unique()
        line["noise mode" if mode else "words"] = rate(own, len(texts))
    return line


def chinese(items: pl.DataFrame) -> None:
    """Search items translated to Chinese, for what needs no model."""
    asked = config(items)
    steps = {
        "exact": exact.build(items, asked),
        "ngrams": ngrams.build(items, asked),
        "rare_terms": rare_terms.build(items, asked),
    }
    for name in PAIRED[2:]:
        file = f"decontamination/lmsys-{name.replace('-', '_')}_test_chinese.jsonl.gz"
        texts = pl.Series([str(row["text"]) for row in lines(DATA / file)])
        line: dict[str, object] = {"step": "chinese", "set": name, "pairs": len(texts)}
        for step, finder in steps.items():
            found = finder.find(texts).filter(pl.col("benchmark") == name)
            own = found.filter(pl.col("doc").cast(pl.String) == pl.col("item"))
            line[step] = own["doc"].n_unique()
        show(line)


def pages() -> pl.Series:
    """Extract the text of real pages, as `curate apply ingest` does."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "pages.parquet"
        texts = []
        for path in sorted((DATA / "pages").glob("*.warc.gz")):
            apply("ingest", path, target, None)
            texts.append(pl.read_parquet(target)["text"].drop_nulls())
    return pl.concat(texts)


def clean(items: pl.DataFrame, count: int, step: str, minilm: Path | None) -> None:
    """Time the search over clean text, and list what it drops."""
    settings = settings_of(step, minilm)
    if step != "rare_terms":
        settings["rerank"]["dense"] = False  # type: ignore[index]
    asked = config(items, **settings)
    index = rare_terms.build(items, asked)
    reranker = rerank.build(items, asked, index) if step != "rare_terms" else None
    news = [str(row["text"]) for row in lines(DATA / "domain/ag-news-test.jsonl.gz")]
    sets = {"text-8000": pl.read_parquet(DATA / "bench/text-8000.parquet")["text"],
            "pages": pages(), "ag-news": pl.Series(news)}  # fmt: skip
    for name, everything in sets.items():
        texts = everything.gather_every(max(-(-len(everything) // count), 1))
        began = time.process_time()
        found = index.find(texts)
        if reranker:
            found = reranker.rescore(texts, found)
        cpu = time.process_time() - began
        size = int(texts.str.len_bytes().sum()) / 1e6
        show({
            "step": f"clean, {step}", "set": name, "documents": len(texts), "mb": round(size, 1),
            "mb_per_cpu_s": round(size / cpu, 1), "index_mb": round(index.nbytes / 1e6, 1),
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "documents_hit": found["doc"].n_unique(), "hits": found.height,
        })  # fmt: skip
        for row in found.sort("score", descending=True).iter_rows(named=True):
            text = texts[row["doc"]].encode()[row["start"] : row["end"]].decode(errors="replace")
            show({"hit": row, "text": text[:300]})


if __name__ == "__main__":
    main()
