"""What events are called, in the order of TBOX_HARSH_BRAKING and what follows it in native/tbox.h."""

EVENTS = (
    "harsh_braking", "harsh_acceleration", "harsh_cornering", "idling", "speeding", "crash", "impact", "over_rev",
    "cold_rev", "fatigue_warning", "fatigue", "rollover", "parked_impact", "tow", "low_battery", "unplugged",
    "power_cut", "overheat", "refuel", "fuel_drop", "gnss_loss", "gnss_jamming",
)  # fmt: skip
