"""What bad days did, what bad days would do, and which is the mildest that breaks a limit."""
