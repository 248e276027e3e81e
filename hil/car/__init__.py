"""The simulated car: how it moves, what it says, what it answers, and what is wrong with it."""
