"""Harnesses around the C core that are no tests themselves: a runner for any processor, a bench, a modern bus."""
