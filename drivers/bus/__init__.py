"""CAN: read, asked, and never sent to without the guard."""
