"""Price paths: models, the bootstrap, and their reduction in seeded blocks."""
