"""Real text to count and score: the documentation that installed packages carry."""

from __future__ import annotations

from importlib import metadata

import pytest


@pytest.fixture(scope="session")
def real_texts() -> list[str]:
    """Return the long descriptions of the installed packages, sorted, one of each."""
    texts = {str(dist.metadata.json.get("description", "")) for dist in metadata.distributions()}
    return sorted(text for text in texts if len(text) > 200)
