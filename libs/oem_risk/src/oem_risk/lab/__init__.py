"""Paper Labs: simulation, stress tests and verdicts."""
