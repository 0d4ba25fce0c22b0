"""Deciding on candidates by what they earn after costs, and replaying what was decided."""
