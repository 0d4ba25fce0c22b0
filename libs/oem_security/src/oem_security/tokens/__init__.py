"""What a caller shows.

`access` holds operators' tokens, `revocations` those withdrawn, `one_time` one-time passwords.
"""
