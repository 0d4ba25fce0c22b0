"""What every market is like right now, polled once for the runtime and the router alike."""
