"""The motion sensor behind Linux IIO."""
