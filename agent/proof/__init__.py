"""Whether an account holds."""
