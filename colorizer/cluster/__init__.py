"""Collections that no single disk or machine holds: object stores, manifests, shards, engines."""
