"""Photos for training: found, decoded once, cut into batches."""
