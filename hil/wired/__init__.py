"""A real terminal at the end of a wire."""
