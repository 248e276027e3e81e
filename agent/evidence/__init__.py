"""A crash as evidence: its records, its table, and reading all of it back out of an account."""
