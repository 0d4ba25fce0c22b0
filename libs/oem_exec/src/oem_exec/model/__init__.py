"""Values that flow through execution: instruments, intents, orders, fills and their states."""
