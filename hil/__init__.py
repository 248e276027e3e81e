"""The bench: a simulated car, a wire, a broker and a receiver around the unmodified agent."""
