"""The same core and trips over recordings."""
