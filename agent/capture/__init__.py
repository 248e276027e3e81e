"""What is caught around a blow: the pre-event ring, pieces on flash, the event of a power cut."""
