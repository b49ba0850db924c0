"""Color: conversions on tensors, and the grid of colors that a network chooses from."""
