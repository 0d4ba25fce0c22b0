"""Tables of orders, fills, quotes, funding, volume and rates: what they hold, and what is wrong."""
