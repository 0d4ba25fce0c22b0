"""The demonstration: the whole product once, step by step."""
