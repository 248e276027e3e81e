"""Fixes, one a moment: through gpsd, or straight from a receiver's port."""
