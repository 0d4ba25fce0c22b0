"""Costs of whole tables at once: joined, split, summed and grouped, exact to the minor unit."""
