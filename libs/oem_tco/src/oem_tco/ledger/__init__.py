"""What orders cost: rows, the exact split, and the files they are kept in."""
