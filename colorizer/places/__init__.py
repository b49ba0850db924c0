"""Many photos, wherever they lie: which ones, who takes the next one, and what became of them."""
