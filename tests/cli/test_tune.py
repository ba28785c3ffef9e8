"""`curate tune`: its counts are those of the stored tables; what it says fits the terminal, or one HTML file."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import dagster as dg
import polars as pl
import pytest
from conftest_graph import curate as run_recipe

from curation_dagster.clean.rules import rules_of
from curation_dagster.commands import beside, tune_html, tune_text
from curation_dagster.commands.tune import Options, survey
from curation_dagster.lineage import Lineage

SIGNAL = "gopher_word_count"


def table_of(lineage: Lineage, stage: str) -> pl.DataFrame:
    refs = [lineage.current(stage, key) for key in lineage.partitions(stage)]
    return pl.concat(pl.read_parquet(lineage.store.path(ref.name)) for ref in refs)


def test_the_present_threshold_is_what_cleaned_rejects(curated):
    lineage = curated[2]
    report = survey(lineage, Options(SIGNAL))
    signals, cleaned = table_of(lineage, "annotated"), table_of(lineage, "cleaned")
    rejected = cleaned["rejected_by"].is_not_null().sum()
    lower, upper = report.ladders
    assert (lower.bound.field, upper.bound.field) == ("min_words", "max_words")
    for ladder in report.ladders:
        now = next(r for r in ladder.rungs if "now" in r.marks)
        assert now.threshold == ladder.bound.value
        assert ladder.other_docs + now.added_docs == rejected
        assert ladder.docs == signals.height
        assert ladder.bytes == signals["text_bytes"].sum()
    now = next(r for r in lower.rungs if "now" in r.marks)
    short = signals.filter(pl.col(SIGNAL) < 50)
    assert now.marks[:2] == ("now", "fineweb-1.1")
    assert (now.docs, now.bytes) == (short.height, short["text_bytes"].sum())
    assert report.spread
    assert report.spread.quantile(0.5) == signals[SIGNAL].sort()[(signals.height - 1) // 2]
    assert (report.shards, report.shards_missing) == (4, 0)


def test_changing_the_threshold_does_what_the_rung_said(copied, curated):
    """The point of it all: the recipe is changed, `cleaned` computed, and the prediction holds."""
    median = int(table_of(curated[2], "annotated")[SIGNAL].median())
    ladder = survey(curated[2], Options(SIGNAL, at=median)).ladders[0]
    wanted = next(r for r in ladder.rungs if r.threshold == median)
    copied.write_text(copied.read_text().replace("min_words = 50", f"min_words = {median}"))
    with dg.DagsterInstance.ephemeral() as opened:
        _, lineage = run_recipe(copied, opened, first="cleaned", last="cleaned")
    cleaned = table_of(lineage, "cleaned")
    lost = cleaned.filter(pl.col("rejected_by").is_not_null())
    assert wanted.added_docs > 0
    assert lost.height == ladder.other_docs + wanted.added_docs
    assert lost["text_bytes"].sum() == ladder.other_bytes + wanted.added_bytes


def test_samples_stand_on_their_sides_nearest_first(curated):
    lineage = curated[2]
    report = survey(lineage, Options(SIGNAL, samples=4, at=100))
    signals = table_of(lineage, "annotated")
    values = dict(signals.select("doc_id", SIGNAL).iter_rows())
    below, above = report.samples
    assert (below.kept, above.kept) == (False, True)
    for side, holds in (
        (below, [v for v in values.values() if v < 100]),
        (above, [v for v in values.values() if v >= 100]),
    ):
        found = [values[d.doc_id] for d in side.documents]
        assert found == sorted(holds, key=lambda v: abs(v - 100))[:4]
        assert all(f"{v:,}" == d.value for v, d in zip(found, side.documents, strict=True))
    assert survey(lineage, Options(SIGNAL, samples=4, at=100)).samples == report.samples


def test_samples_show_the_text_cut_and_masked():
    long = "Mail anna.smith@harbour.org now.\x1b[31m\u202e " + "word " * 100
    at_the_cut = "x" * 290 + " anna.smith@harbour.org and more " + "y" * 600
    shown = beside._redacted([long, at_the_cut, None, "short"])
    assert re.match(r"Mail user-[0-9a-f]{8}@example\.com now\.\ufffd\[31m\ufffd word", shown[0])
    assert "anna" not in shown[1]
    assert [len(text) for text in shown] == [301, 301, 0, 5]
    assert shown[0].endswith("…")


def test_a_signal_that_is_text_is_counted_by_value(curated, curate):
    lineage = curated[2]
    report = survey(lineage, Options("lid_language", samples=1))
    signals = table_of(lineage, "annotated")
    assert report.values
    counts = dict(signals["lid_language"].value_counts().iter_rows())
    assert {row.value: row.docs for row in report.values.rows()} == counts
    others = {n: k for n, k in rules_of(lineage.recipe.steps).items() if n != "language"}
    for row in report.values.rows():
        here = signals.filter(pl.col("lid_language").eq_missing(pl.lit(row.value, dtype=pl.String)))
        assert row.left == here.filter(*others.values()).height
        assert row.kept == (row.docs if row.value == "en" else 0)
    shown = curate("tune", curated[0], "--signal", "lid_language", "-n", "1").stdout
    assert re.search(rf"\n  en +{counts['en']} .* kept\n", shown)
    assert re.search(rf"\n  fr +{counts['fr']} .* rejected\n", shown)
    assert "rejected by language:" in shown


def test_scores_are_tuned_too(curated, curate):
    lineage = curated[2]
    report = survey(lineage, Options("quality"))
    assert (report.stage, [s.title for s in report.samples]) == ("scored", [])
    scored = table_of(lineage, "scored")
    (ladder,) = report.ladders or [None]
    assert ladder is not None
    assert ladder.bound.judge == "phase main"
    assert ladder.other_docs == 0
    for rung in ladder.rungs:
        assert (
            rung.docs
            == rung.added_docs
            == scored.height - scored.filter(ladder.bound.keep(rung.threshold)).height
        )
    found = curate("tune", curated[0], "--signal", "token_count", "-n", "0")
    assert found.exit_code == 0
    assert "as a minimum" in found.stdout
    assert "as a maximum" in found.stdout


def test_a_rung_that_no_phase_has_yet(copied):
    copied.write_text(
        copied.read_text().replace("max_epochs = 2", "max_epochs = 2\nmin_quality = 0.4")
    )
    from curation_dagster.recipe_file import load
    from curation_dagster.store import Store

    recipe = load(copied)
    report = survey(Lineage(recipe, Store(recipe.root)), Options("quality", samples=1))
    assert report.rules == ["phase main.min_quality: quality >= 0.4"]
    assert [s.title for s in report.samples] == [
        "just rejected by quality >= 0.4",
        "just kept by quality >= 0.4",
    ]


@pytest.mark.parametrize("width", [60, 72, 100, 200])
@pytest.mark.parametrize("signal", [SIGNAL, "gopher_dup_line_ratio", "lid_language", "text_bytes"])
def test_no_line_is_wider_than_the_terminal(curated, signal, width):
    report = survey(curated[2], Options(signal, samples=2))
    shown = tune_text.text(report, width)
    wide = [line for line in shown.split("\n") if len(line) > width]
    long_words = [line for line in wide if any(len(word) > width - 12 for word in line.split())]
    assert wide == long_words
    assert "documents" in shown


class Page(HTMLParser):
    """Tags, their attributes, and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("signal", [SIGNAL, "lid_language", "masked_email_count"])
def test_the_html_file_is_self_contained(curated, curate, tmp_path, signal):
    made = tmp_path / "report.html"
    found = curate("tune", curated[0], "--signal", signal, "--html", made)
    assert found.exit_code == 0, found.stderr
    assert str(made) in found.stderr
    text = made.read_text("utf-8")
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "a"}
    assert not [
        a
        for _, attributes in page.tags
        for a in attributes
        if a.startswith("on") or a in {"src", "href"}
    ]
    assert "url(" not in text
    assert "@import" not in text
    assert signal in page.words
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(svg)  # noqa: S314 - our own
    assert (
        curate("tune", curated[0], "--signal", signal, "--html", tmp_path / "again.html").exit_code
        == 0
    )
    assert (tmp_path / "again.html").read_text("utf-8") == text


def test_the_picture_counts_every_document(curated):
    report = survey(curated[2], Options(SIGNAL, samples=0))
    svg = re.search(r"<svg.*?</svg>", tune_html.page(report), re.DOTALL)
    assert svg
    titles = [t.text or "" for t in ET.fromstring(svg[0]).iter("title")]  # noqa: S314 - our own
    assert report.spread
    assert sum(int(t.rsplit(" ", 1)[1].replace(",", "")) for t in titles) == report.spread.count


def test_what_documents_say_is_text_in_the_html_file(curated):
    import dataclasses

    report = survey(curated[2], Options(SIGNAL, samples=0))
    evil = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>&amp;"
    document = beside.Sample("id<b>", "1", evil)
    spoiled = dataclasses.replace(
        report,
        recipe="<i>",
        rules=["<u>"],
        samples=[beside.Samples("kept by <x>", kept=True, documents=[document])],
    )
    text = tune_html.page(spoiled)
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "img", "i", "u", "b", "x"}
    assert evil in page.words


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--signal", "gopher_word_cont"], 2, "did you mean gopher_word_count or"),
        (["--signal", "zzz"], 2, "`curate signals` lists all"),
        (["--signal", "c4_char_count"], 2, 'no step judge = "c4"'),
        (["--signal", "quality", "--stage", "annotated"], 2, "--stage scored"),
        (["--signal", SIGNAL, "--stage", "scored"], 2, "--stage annotated"),
        (["--signal", SIGNAL, "--stage", "raw"], 2, "'annotated', 'scored'"),
        (["--signal", SIGNAL, "--shards", "alpha-00009"], 2, "no such shards: ['alpha-00009']"),
        (["--signal", "lid_language", "--at", "3"], 2, "--at needs a number"),
        (["--signal", SIGNAL, "-n", "-1"], 2, "-n"),
        ([], 2, "--signal"),
    ],
)
def test_wrong_calls_say_what_to_do(curated, curate, arguments, code, says):
    found = curate("tune", curated[0], *arguments)
    assert found.exit_code == code
    assert says in found.stderr
    assert found.stdout == ""


def test_a_report_that_cannot_be_written_is_one_message(curated, curate, tmp_path):
    target = tmp_path / "no" / "such" / "folder.html"
    found = curate("tune", curated[0], "--signal", SIGNAL, "-n", "0", "--html", target)
    assert found.exit_code == 1
    assert "folder.html" in found.stderr
    assert "No such file" in found.stderr


def test_before_anything_is_computed_it_says_what_to_run(fresh, copied, curate):
    found = curate("tune", fresh, "--signal", SIGNAL)
    assert found.exit_code == 1
    assert "next: curate run tiny --to annotated" in found.stderr
    edited = copied.read_text().replace('[[steps]]\nedit = "mask"\n', "")
    copied.write_text(edited)
    stale = curate("tune", copied, "--signal", SIGNAL)
    assert stale.exit_code == 1
    assert "annotated of tiny is stale; next: curate run tiny --to annotated" in stale.stderr


def test_some_shards_only(copied, curate):
    one = curate("tune", copied, "--signal", SIGNAL, "--shards", "alpha-00000")
    assert "of 1 shard\n" in one.stdout
    for path in (copied.parent / "store" / "annotated").glob("beta-00001.*"):
        path.unlink()
    rest = curate("tune", copied, "--signal", SIGNAL)
    assert "of 3 shards (1 more not current)" in rest.stdout


def test_no_text_is_read_without_samples(curated, monkeypatch):
    from curation_dagster import table

    read: list[set[str]] = []
    whole = table.batches
    monkeypatch.setattr(
        table, "batches", lambda s, c=None: (read.append(set(c or ["everything"])), whole(s, c))[1]
    )
    survey(curated[2], Options(SIGNAL, samples=0))
    assert len(read) == 8
    assert not any({"text", "everything"} & columns for columns in read)
