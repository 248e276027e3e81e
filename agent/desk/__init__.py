"""Who asks something of a running terminal, at its socket or over the network, and what it answers."""
