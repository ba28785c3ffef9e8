"""How fast documents are searched for benchmark items, and what datatrove says of the same documents, as JSON lines.

- `scan`: 13-grams of a million (policy "count"; the n-grams are those of other real text), one thread.
- `cascade`: the six benchmarks of `../shared/data/benchmarks`, by step and all model-free steps together; how long
  building takes and what memory the process had at most.
- `policies`: the same benchmarks under each published rule.
- `clean`: the documents of `bench/text-8000.parquet` that a step calls contaminated, each listed.
- `agreement` (with a peer): documents with planted answers and questions, judged by the policy "datatrove" and by
  datatrove itself.

`--peer PYTHON` names an interpreter with `datatrove[processing]`: its NGramsDecontFilter then searches documents of the
same file in the same run, for a million hashes. All figures are CPU seconds of one process with one thread, the least
of three.

    POLARS_MAX_THREADS=1 python benchmarks/decontaminate_speed.py [--peer /path/to/python]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation_dagster.recipe_decontaminate import Benchmark

DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[2] / "shared" / "data")
MILLION = 1_000_000
PEER_DOCS = 150
BENCHMARKS: tuple[dict[str, Any], ...] = (
    {"name": "gsm8k", "file": "gsm8k-test", "question": ("question",), "answer": ("answer",),
     "kind": "math"},
    {"name": "hellaswag", "file": "hellaswag-val", "passage": ("context",), "choices": ("endings",)},
    {"name": "humaneval", "file": "humaneval", "id_field": "task_id", "kind": "code",
     "code": ("prompt", "canonical_solution")},
    {"name": "mbpp", "file": "mbpp-plus", "id_field": "task_id", "kind": "code",
     "question": ("prompt",), "code": ("canonical_solution",)},
    {"name": "mmlu", "file": "mmlu-test", "question": ("question",), "choices": ("answers",),
     "answer": ("correct",)},
    {"name": "truthfulqa", "file": "truthfulqa", "question": ("Question",),
     "answer": ("Best Answer", "Correct Answers"), "choices": ("Incorrect Answers",)},
)  # fmt: skip
PEER_SPEED = """
import json, random, sys, time
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
docs = [Document(text=json.loads(line), id="") for line in open(sys.argv[1])]
step = NGramsDecontFilter("/tmp", NGramsDecontConfig(n_grams=13))
random.seed(0)
step._index_hashes = {random.getrandbits(64): "task" for _ in range(1_000_000)}
step.filter(docs[0])
began = time.process_time()
for doc in docs:
    step.filter(doc)
print(json.dumps({"cpu_s": time.process_time() - began}))
"""
PEER_VERDICTS = """
import json, sys
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer
given = json.load(open(sys.argv[1]))
step = NGramsDecontFilter("/tmp", NGramsDecontConfig())
made = object.__new__(NGramsDecontIndexer)
made.config, made.tokenizer, made.hash_func = step.config, step.tokenizer, step.hash_func
step._index_hashes = {}
for label, query in given["items"]:
    for key in made.compute_hashes(label, query):
        step._index_hashes[int(key)] = "task"
verdicts = [step.filter(Document(text=t, id="")) is not True for t in given["texts"]]
print(json.dumps({"hit": verdicts}))
"""


def main() -> None:
    """Measure, print a line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="a Python that can import datatrove")
    chosen = parser.parse_args()
    path = DATA / "bench" / "text-8000.parquet"
    if not path.exists():
        print(json.dumps({"skipped": f"no data in {DATA}"}))
        sys.exit(0)
    texts = pl.read_parquet(path, columns=["text"])["text"]
    scan(texts, chosen.peer)
    cascade_of_six(texts)
    policies(texts)
    if chosen.peer:
        agreement(texts, chosen.peer)


def benchmarks() -> tuple[Benchmark, ...]:
    """Return the six benchmarks as a recipe names them."""
    from curation_dagster.recipe_decontaminate import Benchmark
    from curation_dagster.section import File

    folder = DATA / "benchmarks"
    return tuple(
        Benchmark(**{**given, "file": File(path=folder / f"{given['file']}.jsonl.gz")})
        for given in BENCHMARKS
    )


def scan(texts: pl.Series, peer: str | None) -> None:
    """Search half of the texts for a million 13-grams of the other half."""
    from curation_dagster.decontaminate.index import build_grams, hashes
    from curation_dagster.decontaminate.ngrams import NGramScan

    half, other = texts.head(4_000), texts.slice(4_000)
    pairs = hashes(other, [13] * len(other))[0].unique("hash", keep="first", maintain_order=True)
    held = pairs.filter(~pl.col("hash").is_in(hashes(half, [13] * len(half))[0]["hash"].implode()))
    chosen = held.sample(min(MILLION, held.height), seed=0)
    owners = chosen.select("unit").unique().sort("unit")
    units = owners.with_columns(
        benchmark=pl.lit("other text"), item=pl.col("unit").cast(pl.String), part=pl.lit("question"),
        ngram_count=pl.lit(1, pl.Int64), needed=pl.lit(1, pl.Int64),
    )  # fmt: skip
    index, built = timed(lambda: build_grams(chosen, 13))
    searched = NGramScan(units, (index,))
    searched.find(half.head(10))
    _, seconds = timed(lambda: searched.find(half))
    speed = megabytes(half) / seconds
    line = {"figure": "scan", "ngrams": chosen.height, "MB/s": speed, "build_s": built}
    if peer:
        some = half.gather_every(len(half) // PEER_DOCS).to_list()
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.writelines(json.dumps(text) + "\n" for text in some)
            file.flush()
            theirs = ask(peer, PEER_SPEED, file.name)["cpu_s"]
        peer_speed = megabytes(pl.Series(some)) / theirs
        line |= {"datatrove_MB/s": peer_speed, "ratio": speed / peer_speed}
    say(line)


def cascade_of_six(texts: pl.Series) -> None:
    """Search the texts for six benchmarks with every model-free step."""
    from curation_dagster.decontaminate import cascade
    from curation_dagster.recipe_decontaminate import Decontaminate

    config = Decontaminate(benchmarks=benchmarks())
    warm = config.model_copy(update={"benchmarks": config.benchmarks[:1]})
    cascade.build(warm).find(texts.head(10))
    began = time.process_time()
    built = cascade.build(config)
    line: dict[str, Any] = {"figure": "cascade", "items": built.ids.height}
    line["build_s"] = time.process_time() - began
    for name, step in built.finders.items():
        line[f"{name}_MB/s"] = megabytes(texts) / timed(lambda s=step: s.find(texts))[1]
    found, seconds = timed(lambda: built.find(texts))
    line["MB/s"] = megabytes(texts) / seconds
    line["max_rss_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(line)
    clean(texts, found)


def clean(texts: pl.Series, found: pl.DataFrame) -> None:
    """List what was found in text that is thought to be clean."""
    for method, rows in found.sort("method", "doc").group_by("method", maintain_order=True):
        documents = rows["doc"].n_unique()
        rate = documents / len(texts)
        say({"figure": "clean", "method": method[0], "documents": documents, "rate": rate})
        for row in rows.unique("doc", keep="first", maintain_order=True).iter_rows(named=True):
            span = texts[row["doc"]].encode()[row["start"] : row["end"]].decode(errors="replace")
            named = {k: row[k] for k in ("doc", "benchmark", "item", "part", "score")}
            print(json.dumps({"hit": named, "span": span[:120]}))


def policies(texts: pl.Series) -> None:
    """Search the texts under each published rule."""
    from curation_dagster.decontaminate import ngrams
    from curation_dagster.decontaminate.registry import read_items
    from curation_dagster.recipe_decontaminate import Decontaminate, NGrams

    items = read_items(benchmarks())
    for policy in ("count", "gpt3", "datatrove", "dolma", "simple"):
        config = Decontaminate(benchmarks=benchmarks(), ngrams=NGrams(policy=policy))
        step = ngrams.build(items, config)
        step.find(texts.head(10))
        found, seconds = timed(lambda s=step: s.find(texts))
        line = {"figure": "policy", "policy": policy, **step.figures}
        line |= {"MB/s": megabytes(texts) / seconds, "documents": found["doc"].n_unique()}
        say(line | {"undetectable_items": items_lost(items, step.detectable)})


def items_lost(items: pl.DataFrame, detectable: pl.DataFrame) -> int:
    """Count the items that a step cannot find."""
    every, seen = (frame.select("benchmark", "item").unique() for frame in (items, detectable))
    return every.join(seen, on=["benchmark", "item"], how="anti").height


def agreement(texts: pl.Series, peer: str) -> None:
    """Plant answers and questions in real text; count where datatrove and its policy here agree."""
    from curation_dagster.decontaminate import ngrams
    from curation_dagster.decontaminate.registry import read_items
    from curation_dagster.recipe_decontaminate import Decontaminate, NGrams

    config = Decontaminate(benchmarks=benchmarks()[:1], ngrams=NGrams(policy="datatrove"))
    items = read_items(config.benchmarks)
    wide = items.pivot("part", index="item", values="text", maintain_order=True).head(200)
    pairs = wide.select("answer", "question").rows()
    hosts = texts.gather_every(40).str.slice(0, 3_000).to_list()
    planted, kinds = [], []
    for i, (answer, question) in enumerate(pairs):
        words = answer.split()
        forms = {
            "nothing": "",
            "answer": answer,
            "question": question,
            "question and answer": f"{question} {answer}",
            "first eleven words of the answer": " ".join(words[:11]),
            "first 14 words of the answer": " ".join(words[:14]),
            "end of the question, start of the answer": " ".join(
                [*question.split()[-7:], *words[:7]]
            ),
        }
        for kind, form in forms.items():
            host = hosts[i % len(hosts)]
            planted.append(f"{host[:1000]}\n\n{form}\n\n{host[1000:]}")
            kinds.append(kind)
    mine = items.join(wide.select("item"), on="item", how="semi")
    found = ngrams.build(mine, config).find(pl.Series(planted))
    ours = set(found["doc"].to_list())
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"items": pairs, "texts": planted}, file)
        file.flush()
        theirs = ask(peer, PEER_VERDICTS, file.name)["hit"]
    rows = pl.DataFrame(
        {"kind": kinds, "ours": [i in ours for i in range(len(planted))], "theirs": theirs}
    )
    for kind, part in rows.group_by("kind", maintain_order=True):
        say({
            "figure": "agreement", "planted": kind[0], "documents": part.height,
            "ours": int(part["ours"].sum()), "datatrove": int(part["theirs"].sum()),
            "only_ours": part.filter(pl.col("ours") & ~pl.col("theirs")).height,
            "only_datatrove": part.filter(~pl.col("ours") & pl.col("theirs")).height,
        })  # fmt: skip


def ask(peer: str, program: str, argument: str) -> dict[str, Any]:
    """Run a program with another interpreter; return the JSON it prints last."""
    command = [peer, "-c", program, argument]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what the work gives, and its least CPU seconds of three runs."""
    least, given = float("inf"), None
    for _ in range(3):
        began = time.process_time()
        given = work()
        least = min(least, time.process_time() - began)
    return given, least


def megabytes(texts: pl.Series) -> float:
    """Return the size of texts in MB."""
    return float(texts.str.len_bytes().sum()) / 1e6


def say(line: dict[str, Any]) -> None:
    """Print a line, floats to three digits."""
    print(
        json.dumps({k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in line.items()})
    )


if __name__ == "__main__":
    main()
