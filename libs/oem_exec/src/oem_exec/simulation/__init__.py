"""A simulated exchange: book walk, queues, fees, balances; for paper and the venue server."""
