"""From a vehicle map and its descriptions of a bus to the table the terminal reads."""
