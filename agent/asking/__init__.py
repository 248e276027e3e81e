"""What to ask the car next, whether it may be asked, and carrying both to the devices."""
