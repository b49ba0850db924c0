"""Picture files: what they hold, opened and saved, with profiles and metadata."""
