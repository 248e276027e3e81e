"""The account: numbered, chained, sealed with the device's key, no place finer than agreed."""
