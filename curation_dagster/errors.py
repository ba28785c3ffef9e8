"""The ways a curation run can fail, each with what the user does about it.

A malformed record is not here: it is a rejected row with its reason, never an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class CurationError(Exception):
    """Base of every error this package raises on purpose."""


class RecipeError(CurationError):
    """The recipe, or a file it names, is wrong; raised before any work starts. Edit the recipe."""


class SchemaError(CurationError):
    """A table lacks what a stage needs. Rerun the stage that wrote it."""

    @classmethod
    def missing(cls, where: str, columns: Iterable[str], found: Iterable[str]) -> SchemaError:
        """Say which columns `where` needed and which it found."""
        return cls(f"{where}: missing columns {sorted(columns)}; found {sorted(found)}")


class IntegrityError(CurationError):
    """A law broke, or a file is not what its name says. Stop and look; nothing was published."""


class GateError(CurationError):
    """A gate failed, and nobody has accepted that. Look at what failed, then edit the recipe or `curate accept`."""


class StorageError(CurationError):
    """The storage did not answer or refused; `may_pass` says whether it may answer later."""

    may_pass: bool = False

    @property
    def is_absence(self) -> bool:
        """Whether the file asked for is not there."""
        return isinstance(self.__cause__, FileNotFoundError)
