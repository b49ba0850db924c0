"""Frozen networks that losses and metrics look through, and the one reader of their weights."""
