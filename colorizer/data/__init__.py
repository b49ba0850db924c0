"""Photos for training: prepared as shards, found, decoded once, cut into batches."""
