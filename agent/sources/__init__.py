"""From settings to devices, and what came of each."""
