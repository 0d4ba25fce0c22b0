"""Order routing over real exchanges that never doubles or loses an order."""
