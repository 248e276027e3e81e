"""The one path by which a configuration comes into force, and back."""
