"""The cost report: CSV, PDF, and the seals that bind them."""
