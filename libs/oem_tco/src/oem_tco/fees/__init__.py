"""What venues charge: schedules as data, and one way to ask for a commission."""
