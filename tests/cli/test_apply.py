"""`curate apply`: one stage on one file, columns in and out."""

import json

import corpus
import polars as pl
import pytest


@pytest.fixture
def documents(tmp_path):
    """A Parquet file with id and text."""
    rows = [{"id": f"d{n}", "text": d["text"], "kind": n} for n, d in enumerate(corpus.documents())]
    path = tmp_path / "in.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return path


def apply(curate, tmp_path, stage, source, *more) -> pl.DataFrame:
    target = tmp_path / f"{stage}.parquet"
    found = curate("apply", stage, source, target, *more)
    assert found.exit_code == 0, found.stderr
    return pl.read_parquet(target)


def test_ingest_of_jsonl(curate, tmp_path):
    corpus.write(tmp_path / "corpus")
    out = apply(curate, tmp_path, "ingest", tmp_path / "corpus" / "alpha-0.jsonl.gz")
    assert {"doc_id", "url", "text", "rejected_by"} <= set(out.columns)
    assert out.filter(pl.col("rejected_by") == "ingest.malformed").height == 1
    assert out["doc_id"].n_unique() == out.height


def test_annotate_then_clean_in_two_steps_equals_one(curate, tmp_path, documents):
    annotated = apply(curate, tmp_path, "annotate", documents)
    assert {"gopher_word_count", "lid_language", "kind"} <= set(annotated.columns)
    two = apply(curate, tmp_path, "clean", tmp_path / "annotate.parquet")
    one = apply(curate, tmp_path, "clean", documents)
    assert one["rejected_by"].to_list() == two["rejected_by"].to_list()
    assert one.filter(pl.col("rejected_by") == "clean.gopher_min_words").height >= 10
    assert one["doc_id"].to_list() == [f"d{n}" for n in range(200)]


def test_dedup_names_the_kept_twin(curate, tmp_path, documents):
    out = apply(curate, tmp_path, "dedup", documents)
    copies = out.filter(pl.col("doc_id").is_in(["d120", "d3"]))
    assert sorted(copies["rejected_by"].to_list(), key=str) == [None, "dedup.exact"]
    assert set(copies["duplicate_of"].drop_nulls()) < {"d3", "d120"}
    assert out.height == 200


def test_dedup_says_which_spans_are_cut_and_leaves_the_text(curate, tmp_path):
    texts = ["Sign up now\nA text of its own.", "Another one.\nSign up, now!", "SIGN UP NOW"]
    given = pl.DataFrame({"id": ["a", "b", "c"], "text": texts})
    given.write_parquet(tmp_path / "in.parquet")
    recipe = tmp_path / "lines.toml"
    recipe.write_text("[dedup]\nexact = false\nnear = false\n[dedup.lines]\n")
    out = apply(curate, tmp_path, "dedup", tmp_path / "in.parquet", "--recipe", recipe)
    assert out["text"].to_list() == texts
    assert out["cuts"].to_list() == [[], [{"start": 13, "end": 26}], [{"start": 0, "end": 11}]]
    assert out["rejected_by"].to_list() == [None, None, "dedup.nothing_left"]


@pytest.mark.parametrize("stage", ["dedup", "clean", "annotate"])
def test_narrow_leaves_out_what_came_in(curate, tmp_path, documents, stage):
    wide = apply(curate, tmp_path, stage, documents)
    narrow = apply(curate, tmp_path, stage, documents, "--narrow")
    assert narrow.equals(wide.select(narrow.columns))
    assert set(wide.columns) - set(narrow.columns) <= {"text", "kind"}
    assert {"text", "kind"}.isdisjoint(narrow.columns)


def test_score_counts_tokens(curate, tmp_path, documents):
    out = apply(curate, tmp_path, "score", documents)
    assert (out["token_count"] > 0).all()


def test_decontaminate_needs_benchmarks_and_finds_them(curate, tmp_path, documents):
    refused = curate("apply", "decontaminate", documents, tmp_path / "o.parquet")
    assert refused.exit_code == 2
    assert "--recipe" in refused.stderr
    assert not (tmp_path / "o.parquet").exists()
    path = corpus.project(tmp_path)
    out = apply(curate, tmp_path, "decontaminate", documents, "--recipe", path)
    hit = out.filter(pl.col("rejected_by") == "decontaminate.exact")
    assert set(hit["item"]) == {"bees"}
    spans = [h for hits in hit["hits"] for h in hits]
    text = hit["text"][0].encode()
    assert text[spans[0]["start"] : spans[0]["end"]].decode().startswith("A beekeeper moves")
    assert hit.height == 4


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pl.DataFrame({"text": ["a"]}), "missing columns ['doc_id (or id)'"),
        (pl.DataFrame({"doc_id": ["a"]}), "text"),
    ],
)
def test_a_file_without_its_columns_is_refused(curate, tmp_path, frame, says):
    frame.write_parquet(tmp_path / "in.parquet")
    found = curate("apply", "dedup", tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert found.exit_code == 1
    assert says in found.stderr
    assert not (tmp_path / "out.parquet").exists()


def test_a_file_that_is_no_parquet_is_refused(curate, tmp_path):
    (tmp_path / "in.parquet").write_text(json.dumps({"text": "a"}))
    found = curate("apply", "clean", tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert found.exit_code == 1
    assert "not a Parquet file" in found.stderr


@pytest.mark.parametrize("name", ["crawl.arc.gz", "crawl.warc.wat.gz", "crawl.warc.wet.gz"])
def test_a_file_of_a_crawl_that_cannot_be_read_is_a_row_not_an_error(curate, tmp_path, name):
    (tmp_path / name).write_bytes(b"not a record of any kind\n" * 40)
    out = apply(curate, tmp_path, "ingest", tmp_path / name)
    assert out["rejected_by"].to_list() == ["ingest.damaged"]
    assert out["record_bytes"].sum() == (tmp_path / name).stat().st_size


def test_a_summary_says_what_was_kept_and_why_the_rest_was_not(curate, tmp_path, documents):
    found = curate("apply", "clean", documents, tmp_path / "out.parquet")
    rows = pl.read_parquet(tmp_path / "out.parquet")
    kept = rows["rejected_by"].null_count()
    assert f"clean: 200 rows, {kept} kept, {200 - kept} rejected: " in found.stderr
    counts = dict(rows["rejected_by"].drop_nulls().value_counts().iter_rows())
    top = max(counts, key=lambda rule: (counts[rule], rule))
    assert f"{top.removeprefix('clean.')} {counts[top]}" in found.stderr
    measured = curate("apply", "annotate", documents, tmp_path / "out.parquet")
    assert measured.stderr == "annotate: 200 rows\n"


@pytest.mark.parametrize(
    ("text", "stage", "column", "expected"),
    [
        pytest.param(
            '[[steps]]\npreset = "gopher-2021"\n[steps.gopher_quality]\nmin_words = 0', "clean", "rejected_by",
            lambda rules: "clean.gopher_min_words" not in rules, id="steps",
        ),
        pytest.param("[dedup]\nexact = false\nnear = false", "dedup", "rejected_by",
                     lambda rules: set(rules) == {None}, id="dedup"),
        pytest.param("[dedup]\nremove = false", "dedup", "rejected_by",
                     lambda rules: set(rules) == {None, "dedup.exact"}, id="near duplicates stay"),
        pytest.param("", "dedup", "rejected_by",
                     lambda rules: {"dedup.exact", "dedup.near"} <= set(rules), id="nothing"),
        pytest.param('[[sources]]\nname = "own"\npaths = ["x"]', "dedup", "rejected_by",
                     lambda rules: "dedup.exact" in rules, id="a source without a mix"),
    ],
)  # fmt: skip
def test_a_recipe_may_be_a_part(curate, tmp_path, documents, text, stage, column, expected):
    path = tmp_path / "My part.toml"
    path.write_text(text, "utf-8")
    assert expected(apply(curate, tmp_path, stage, documents, "--recipe", path)[column].to_list())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[ingest]\nextractr = 1", ["line 2", "ingest.extractr", "Extra"], id="key"),
        pytest.param('[[steps]]\njudge = "language"\n', ["line 1", "steps.0.languages"], id="step"),
        pytest.param("[mix]\nseed = 1", ["line 1", "mix.phases", "required"], id="half a section"),
        pytest.param("sources = 5", ["line 1", "sources", "5"], id="no sources"),
    ],
)
def test_an_error_in_a_part_says_where(curate, tmp_path, documents, text, says):
    path = tmp_path / "part.toml"
    path.write_text(text, "utf-8")
    found = curate("apply", "clean", documents, tmp_path / "o.parquet", "--recipe", path)
    assert found.exit_code == 2
    for word in (str(path), "1 problem\n", *says):
        assert word in found.stderr
    assert not (tmp_path / "o.parquet").exists()


def test_a_part_of_a_recipe_is_not_run(curate, tmp_path):
    path = tmp_path / "part.toml"
    path.write_text("[ingest]\ncomments = true", "utf-8")
    assert "sources: Field required" in curate("check", path).stderr
