"""Which car and which owner a box belongs to, and the certificate of its installation."""
