"""Who decides: the name that is kept with a decision."""

from __future__ import annotations

import getpass

from curation_dagster.errors import RecipeError


def who(by: str | None) -> str:
    """Return the name given, or that of whoever is logged in.

    Raises:
        RecipeError: none is given, and the system does not say.
    """
    try:
        return by or getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        msg = "who decides this? the system does not say; name yourself with --by"
        raise RecipeError(msg) from error
