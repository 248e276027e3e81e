"""Thousands of terminals at once: real records, each with its own key and chain, against real brokers and receivers."""
