"""When and where: boot time, UTC, local hours, and how far two places are apart."""
