"""The agent in a vehicle's OBD terminal: what the car says, what it means, what is kept, what is told."""

__version__ = "0.1.0"
