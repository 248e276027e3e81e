"""Scenarios and recordings as data, checked when read."""
