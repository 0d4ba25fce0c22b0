"""Journals: sealed sequences of records, one JSON object a line."""
