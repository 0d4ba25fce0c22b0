"""Service levels of trading: latency, cost per trade, fill rate; budgets, burn rates, rules."""
