"""A camera in a process of its own: what it films, keeps and saves."""
