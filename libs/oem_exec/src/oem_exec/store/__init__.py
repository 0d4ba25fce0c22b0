"""Where intents and orders are durable before anything is sent."""
