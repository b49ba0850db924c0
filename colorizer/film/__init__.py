"""Films: colored without flicker, and with nothing else touched."""
