"""Everything that touches hardware or a wire into the box, and recordings read as if they were hardware."""
