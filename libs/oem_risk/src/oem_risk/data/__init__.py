"""Market data: reading it, checking it, and making it where it is missing."""
