"""Recordings read as if they were hardware: one file a format."""
