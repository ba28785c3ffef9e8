"""Tables: schema, bytes, row groups, tallies, ranges."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster import schema, table
from curation_dagster.errors import IntegrityError, SchemaError

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS: schema.Columns = {"row": pl.UInt32, "text": pl.String, "cuts": schema.SPANS}


def frame(*rows: int) -> pl.DataFrame:
    cuts = [[{"start": r, "end": r + 1}] * (r % 3) for r in rows]
    data = {"row": list(rows), "text": [f"té{r}" if r % 2 else None for r in rows], "cuts": cuts}
    return pl.DataFrame(data, schema=COLUMNS)


def write(path: Path, *frames: pl.DataFrame, columns: Any = COLUMNS, **footer: Any) -> Path:
    with table.TableWriter(path, columns) as writer:
        for each in frames:
            writer.write(each)
        writer.finish(footer)
    return path


@pytest.mark.parametrize(
    ("found", "says"),
    [
        pytest.param(frame(1).drop("text"), r"'text': \('String', 'None'\)", id="missing"),
        pytest.param(frame(1).with_columns(x=1), r"'x': \('None', 'Int32'\)", id="more"),
        pytest.param(
            frame(1).with_columns(pl.col("row").cast(pl.Int64)),
            r"'row': \('UInt32', 'Int64'\)",
            id="type",
        ),
        pytest.param(frame(1).select("text", "row", "cuts"), "other order", id="order"),
        pytest.param(
            frame(1).with_columns(cuts=pl.lit([1])), r"'cuts': \(.List\(Struct", id="inner type"
        ),
        pytest.param(pl.DataFrame(), "'row'", id="empty"),
    ],
)
def test_other_columns_are_refused(found: pl.DataFrame, says: str, tmp_path: Path) -> None:
    with (
        table.TableWriter(tmp_path / "draft.parquet", COLUMNS) as writer,
        pytest.raises(SchemaError, match=f"draft.parquet.*{says}"),
    ):
        writer.write(found)


def test_identical_frames_give_identical_bytes(tmp_path: Path) -> None:
    hashes = set()
    for i in range(3):
        rows = frame(*range(200)) if i else pl.concat([frame(*range(7)), frame(*range(7, 200))])
        path = write(
            tmp_path / f"{i}.parquet", rows, frame(200), rows=201, b=[1], a={"z": 1, "y": 2}
        )
        hashes.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_the_order_of_a_footer_is_its_own(tmp_path: Path) -> None:
    one = write(tmp_path / "1.parquet", frame(1), a=1, b={"y": 1, "x": 2})
    other = write(tmp_path / "2.parquet", frame(1), b={"x": 2, "y": 1}, a=1)
    assert one.read_bytes() == other.read_bytes()


def test_row_groups_are_the_frames_and_nothing_is_lost(tmp_path: Path) -> None:
    frames = [frame(*range(5)), frame(), frame(5), frame(*range(6, 106))]
    path = write(tmp_path / "t.parquet", *frames, rows=106)
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [5, 1, 100]
    assert [b.height for b in table.batches(path)] == groups
    assert table.read(path).equals(pl.concat(frames))
    assert table.read(path).schema == pl.Schema(COLUMNS)
    assert table.read(path, ["row", "gone"]).columns == ["row"]
    assert [b.columns for b in table.batches(path, ["text"])] == [["text"]] * 3
    assert table.footer(path, "t") == {"rows": 106}
    assert list(table.columns(path)) == list(COLUMNS)


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", frame())
    assert table.read(path).schema == pl.Schema(COLUMNS)
    assert list(table.batches(path)) == []
    assert table.RowReader(path, ["row"]).up_to(10) is None


def test_every_type_of_every_schema_survives(tmp_path: Path) -> None:
    values: dict[Any, Any] = {
        pl.UInt8: 2**8 - 1,
        pl.UInt16: 2**16 - 1,
        pl.UInt32: 2**32 - 1,
        pl.UInt64: 2**64 - 1,
        pl.Float32: 0.5,
        pl.Float64: 0.1,
        pl.String: "é\0\U0001f600",
        pl.Boolean: True,
        schema.TIME: datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        schema.SPANS: [{"start": 0, "end": 2**32 - 1}],
        schema.HITS: [],
        pl.List(pl.UInt32): [0, 2**32 - 1],
        schema.COPIES: [{"phase": "main", "copies": 2}],
    }
    tables = {k: v for k, v in vars(schema).items() if k.isupper() and isinstance(v, dict)}
    assert len(tables) > 10
    for name, columns in tables.items():
        row = {c: values[kind] for c, kind in columns.items()}
        rows = pl.DataFrame([row, dict.fromkeys(columns)], schema=columns)
        path = write(tmp_path / f"{name}.parquet", rows, columns=columns)
        assert table.read(path).equals(rows), name
        assert pl.read_parquet(path).equals(rows), name


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda b: b[:-1], id="one byte short"),
        pytest.param(lambda b: b[: len(b) // 2], id="half"),
        pytest.param(lambda b: b[:4], id="magic only"),
        pytest.param(lambda b: b"", id="empty"),  # noqa: ARG005
        pytest.param(lambda b: b[:-60] + bytes(52) + b[-8:], id="zeros in the footer"),
        pytest.param(lambda b: b[:-500] + b"\xff" * 492 + b[-8:], id="ones in the footer"),
    ],
)
def test_footer_of_a_damaged_file(damage: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", frame(*range(50)), rows=50)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(IntegrityError, match=r"(?s)raw/t: damaged.*Remove the file"):
        table.footer(path, "raw/t")


def test_footer_of_a_foreign_table(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "t.parquet", use_pyarrow=True)
    assert table.footer(tmp_path / "t.parquet", "t") == {}


GROUPS = st.lists(st.lists(st.integers(1, 9), max_size=6), max_size=5)


@settings(max_examples=40, deadline=None)
@given(gaps=GROUPS, asked=st.lists(st.integers(0, 200), max_size=8).map(sorted))
def test_row_reader_gives_each_row_once_in_its_range(
    gaps: list[list[int]], asked: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows, frames = -1, []
    for group in gaps:
        numbers = [rows := rows + gap for gap in group]
        frames.append(frame(*numbers))
    path = write(tmp_path_factory.getbasetemp() / "rows.parquet", *frames)
    every = pl.concat(frames) if frames else frame()
    reader, before = table.RowReader(path, ["row", "text"]), -1
    for last in asked:
        found = reader.up_to(last)
        wanted = every.select("row", "text").filter(
            pl.col("row").is_between(before, last, closed="right")
        )
        assert (found is None) == (every.height == 0)
        assert found is None or found.equals(wanted)
        before = last


REASONS = st.sampled_from([None, None, "clean.a", "clean.b"])
ROWS = st.lists(
    st.tuples(REASONS, st.none() | st.integers(0, 2**32 - 1), st.integers(0, 99), st.booleans()),
    max_size=20,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, max_size=4))
def test_tally_adds_up(groups: list[list[tuple[str | None, int | None, int, bool]]]) -> None:
    names = {
        "rejected_by": pl.String,
        "text_bytes": pl.UInt32,
        "token_count": pl.UInt32,
        "is_first": pl.Boolean,
    }
    tally = table.Tally()
    for group in groups:
        tally.add(pl.DataFrame(group, schema=names, orient="row"))
    every = [row for group in groups for row in group]
    kept = [row for row in every if row[0] is None]
    found = tally.summary
    reasons = sorted({row[0] for row in every if row[0]})
    assert found["rows"] == len(every) == found["kept"] + sum(found["rejected"].values())
    assert found["kept"] == len(kept)
    assert found["rejected"] == {r: sum(row[0] == r for row in every) for r in reasons}
    assert list(found["rejected"]) == reasons
    if groups:
        assert found["bytes_kept"] == sum(row[1] or 0 for row in kept)
        assert found["tokens_kept"] == sum(row[2] for row in kept)
        assert found["first_copies"] == sum(row[3] for row in kept)


def test_tally_of_a_table_without_verdicts() -> None:
    tally = table.Tally()
    tally.add(pl.DataFrame({"phase": ["main"]}))
    assert tally.summary == {"rows": 1, "kept": 1, "rejected": {}}
