"""What is kept on flash, and how it survives: nothing may be told before it is synced."""
