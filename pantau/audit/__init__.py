"""What auditors ask: the way of a figure back to the bytes."""
