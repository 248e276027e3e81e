"""An ELM327 or STN adapter, in a process of its own."""
