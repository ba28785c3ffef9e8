"""The fixtures of the graph's tests."""

from conftest_graph import copied, curated, fresh, instance

__all__ = ["copied", "curated", "fresh", "instance"]
