"""Who looks on: the live view, and the verification of what was recorded."""
