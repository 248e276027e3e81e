"""The bench: a simulated car, a wire, a broker and a receiver around the unmodified agent."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout, or where this was installed."""
