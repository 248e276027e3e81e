"""What is on this terminal, and what a driver may ask of it."""
