"""What an order will cost, with an interval whose coverage is measured afterwards."""
