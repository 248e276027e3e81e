"""Whose signatures count, and what they sign."""
