"""What may be told now, in what order, and over which link."""
