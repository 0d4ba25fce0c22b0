"""Real exchanges through ccxt's asynchronous REST classes."""
