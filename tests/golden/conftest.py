"""The golden run uses the graph's fixtures."""

from conftest_graph import curated, instance

__all__ = ["curated", "instance"]
