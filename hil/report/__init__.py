"""What came of a run, judged and shown."""
