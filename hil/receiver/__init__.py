"""A platform's end, as small as it can be: stores each record once, and says with receipts what it has stored."""
