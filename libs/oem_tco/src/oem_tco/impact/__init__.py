"""What one's own trading does to the price: models, optimal schedules, calibration."""
