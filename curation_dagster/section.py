"""What every section of a recipe is made of: frozen models that take TOML's values for what they are."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

Share = Annotated[float, Field(ge=0, le=1)]
_CREDENTIALS: Final = re.compile(
    r"://[^/]*@|[?&][^=]*(signature|credential|token|secret|passw|keyid)[^=]*=", re.IGNORECASE
)


def _has_no_credentials(place: str) -> str:
    if _CREDENTIALS.search(place):
        msg = "has credentials in it, and would be printed and stored; put them into the environment or a profile"
        raise ValueError(msg)
    return place


Place = Annotated[str, AfterValidator(_has_no_credentials)]  # a path, glob or URL


def _strict(schema: Any) -> Any:  # noqa: ANN401 - schemas are nested dicts and lists
    """Refuse what TOML does not write as a number or a truth value. A whole number may be `1e9`, and a float `1`."""
    if isinstance(schema, list | tuple):
        return type(schema)(_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return schema
    found = {k: v if k == "metadata" else _strict(v) for k, v in schema.items()}
    if found.get("type") in {"bool", "float"}:
        return found | {"strict": True}
    if found.get("type") == "int":
        return core_schema.no_info_before_validator_function(_number, cast("CoreSchema", found))
    return found


def _number(value: Any) -> Any:  # noqa: ANN401 - TOML is anything
    if isinstance(value, str | bool):
        raise PydanticKnownError("int_type")
    return value


class Section(BaseModel):
    """Base of every part of a recipe: frozen, no unknown keys; text is no number and no truth value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls,
        source: type[BaseModel],
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        """Make every number and truth value of the fields strict; pydantic would take "yes" and "0.5"."""
        return cast("CoreSchema", _strict(handler(source)))


class File(Section):
    """A file the recipe depends on, pinned by its content."""

    path: Path = Field(description="Path, relative to the recipe's own folder.")
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="Refuse the file if it holds other bytes.",
    )


class GrowingFile(File):
    """A file that a command fills: missing is as good as empty."""
