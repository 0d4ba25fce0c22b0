"""The oem command."""
