"""Buses as full as they get, for as long as wanted."""
