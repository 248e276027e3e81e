"""Whether a box is well installed, and which map fits a bus."""
