"""Where a scenario runs, and how each place is driven."""
