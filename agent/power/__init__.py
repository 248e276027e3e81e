"""When the terminal sleeps, and what the driver is shown."""
