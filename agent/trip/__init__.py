"""From events to drives: when one began, what it is priced on, how it ended, what is written down of it."""
