"""What a setting may be, with its unit, as msgspec checks it and errors and schema tell it."""

from msgspec import Meta


def span(low: float, high: float, unit: str, meaning: str) -> Meta:
    """A number from low to high, both included, in this unit ("" for a plain count)."""
    return Meta(ge=low, le=high, description=f"{meaning} [{unit}]" if unit else meaning, extra={"unit": unit})


def text(meaning: str, pattern: str | None = None, allowed: str = "") -> Meta:
    """A text; `allowed` says the pattern in words."""
    return Meta(pattern=pattern, description=meaning, extra={"allowed": allowed})
