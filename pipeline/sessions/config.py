"""What can be chosen of how clicks become sessions to train on and to test with."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from pipeline.core.columns import LATER
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.text import did_you_mean

TEST_SHARE = 0.2
BOUNDARIES = frozenset({"test_from", "test_days", "test_share"})
"""Options that say where testing begins: one of them at a time."""


def _fraction(value: Any) -> Any:
    """Read a share that is text, '1/64' as the literature writes it; leave what is none to the field's own rule."""
    try:
        return float(Fraction(value)) if isinstance(value, str) else value
    except (ValueError, ZeroDivisionError):
        return value


Share = Annotated[float, BeforeValidator(_fraction)]


class PreprocessConfig(Options):
    """How clicks become sessions to train on and to test with; what is dropped is dropped in the order of STEPS."""

    test_from: str | None = Field(
        default=None,
        description="ISO time (UTC where it says no zone); a session whose last click is at or after it is a test "
        "session.",
    )
    min_item_count: int = Field(
        default=1,
        ge=1,
        le=1_000_000,
        description="Items clicked less often than this are dropped, before sessions of one click are.",
    )
    test_share: Share = Field(
        default=TEST_SHARE,
        gt=0,
        lt=1,
        description="Share of the sessions, the last to end, that are for testing.",
        json_schema_extra=LATER,
    )
    test_days: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Days at the log's end whose sessions are for testing, in place of a share; 0: the share counts.",
        json_schema_extra=LATER,
    )
    last_days: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Only sessions that end in the log's last days; 0: all.",
        json_schema_extra=LATER,
    )
    train_share: Share = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the training sessions, the last to end, that is kept: 1/4 or 1/64 in the literature on "
        "YOOCHOOSE. Test sessions stay.",
        json_schema_extra=LATER,
    )
    min_session_length: int = Field(
        default=2, ge=2, le=1000, description="Shorter sessions are dropped, in clicks.", json_schema_extra=LATER
    )
    max_session_length: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Longer sessions are dropped, in clicks as they were read: programs click ten thousand times. "
        "0: none is.",
        json_schema_extra=LATER,
    )
    collapse_repeats: bool = Field(
        default=False,
        description="Keep the first of several clicks in a row on the same item.",
        json_schema_extra=LATER,
    )
    clean_categories: bool = Field(
        default=False,
        description="Take categories that differ in case or spaces for one, and '0' (unknown) and 'S' (special offer), "
        "as YOOCHOOSE has them, for none.",
        json_schema_extra=LATER,
    )
    min_category_count: int = Field(
        default=1,
        ge=1,
        le=1_000_000,
        description="A category with fewer items than this is taken for none.",
        json_schema_extra=LATER,
    )

    @model_validator(mode="after")
    def _agree(self) -> "PreprocessConfig":
        fields = type(self).model_fields
        said = [name for name in fields if name in BOUNDARIES and getattr(self, name) != fields[name].default]
        if len(said) > 1:
            raise UserError(f"{' and '.join(said)} each say where testing begins: give one of them.")
        if 0 < self.max_session_length < self.min_session_length:
            raise UserError(
                f"max_session_length {self.max_session_length} is below min_session_length "
                f"{self.min_session_length}, and leaves no session: raise the first or lower the second."
            )
        return self


def read_options(given: Sequence[str]) -> dict[str, Any]:
    """Read 'NAME=VALUE' texts as options; raise UserError naming the one that is not."""
    known = list(PreprocessConfig.model_fields)
    found: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in known:
            raise UserError(
                f"Preprocessing has no option '{name}': it has {', '.join(known)}.{did_you_mean(name, known)}"
            )
        found[name] = PreprocessConfig.read(name, value)
    return found
