"""Which configuration is in force, and how another one proves itself."""
