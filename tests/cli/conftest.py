"""The commands are tried on the graph's curated corpus, in this process."""

import pytest
from click.testing import CliRunner
from conftest_graph import copied, curated, fresh, instance

from curation_dagster.cli import main

__all__ = ["copied", "curated", "fresh", "instance"]


@pytest.fixture
def curate(monkeypatch, tmp_path):
    """Call `curate` with arguments; return the result (exit_code, stdout, stderr)."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster-home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    return lambda *arguments: runner.invoke(main, [str(a) for a in arguments])
