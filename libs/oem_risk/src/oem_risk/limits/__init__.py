"""Risk profiles and the pre-trade engine that holds orders to them."""
