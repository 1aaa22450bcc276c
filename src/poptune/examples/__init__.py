"""Models and training functions that the examples and the mirror of Ray's examples share. They need torch."""
