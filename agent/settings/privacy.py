"""Settings of what the driver agreed to: how closely records may tell where the car is, and how long they stay here."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from agent.settings.ranges import span

Tier = Literal["exact", "coarse", "none"]
"""How closely a place may be told: as it is, the middle of its cell, not at all."""

_EVENT = Meta(description="place in event records")
_SAMPLES = Meta(description="columns lat, lon and course of samples; coarse: without course")
_EVIDENCE = Meta(description="fixes in the ring a crash leaves; coarse: without them")
_OTHER = Meta(description="place in any other record")


class Places(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How closely each kind of record may tell where the car is."""

    event: Annotated[Tier, _EVENT] = "exact"
    samples: Annotated[Tier, _SAMPLES] = "exact"
    evidence: Annotated[Tier, _EVIDENCE] = "exact"
    other: Annotated[Tier, _OTHER] = "exact"


class TripsPlaces(Places, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same where trips may be told, but not where they went."""

    event: Annotated[Tier, _EVENT] = "coarse"
    samples: Annotated[Tier, _SAMPLES] = "none"
    evidence: Annotated[Tier, _EVIDENCE] = "exact"
    other: Annotated[Tier, _OTHER] = "coarse"


class NoPlaces(Places, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same where nobody may learn of any place."""

    event: Annotated[Tier, _EVENT] = "none"
    samples: Annotated[Tier, _SAMPLES] = "none"
    evidence: Annotated[Tier, _EVIDENCE] = "none"
    other: Annotated[Tier, _OTHER] = "none"


class Privacy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the driver agreed to; `places` is the table that holds then."""

    consent: Annotated[Literal["full", "trips", "none"], Meta(description="which of the three tables holds")] = "full"
    coarse_m: Annotated[float, span(100, 100_000, "m", "side of a cell where a place is told coarsely")] = 1000.0
    keep_days: Annotated[int, span(0, 3650, "d", "delivered records stay readable here; 0: while there is room")] = 0
    full: Places = field(default_factory=Places)
    trips: TripsPlaces = field(default_factory=TripsPlaces)
    none: NoPlaces = field(default_factory=NoPlaces)

    @property
    def places(self) -> Places:
        """What holds under the consent that was given."""
        tables: dict[str, Places] = {"full": self.full, "trips": self.trips, "none": self.none}
        return tables[self.consent]
