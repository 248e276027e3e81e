"""Which events get a clip, and what the account tells of it."""
