"""Faults around a running terminal, by name."""
