"""What every room needs: files, memory, the hub of pretrained weights."""
