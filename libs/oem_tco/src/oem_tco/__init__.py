"""What trading cost, to the last basis point, and decisions that take it into account."""
