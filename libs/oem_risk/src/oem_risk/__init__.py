"""Risk profiles, simulation, stress tests and gates that say how sure they are."""
