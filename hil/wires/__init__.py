"""What connects the parts of the bench: the car's bus, and the network to the broker."""
