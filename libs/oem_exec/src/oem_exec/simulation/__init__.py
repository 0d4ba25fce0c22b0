"""A simulated exchange: book walk, queues, fees, balances; used on paper and by the venue server."""
