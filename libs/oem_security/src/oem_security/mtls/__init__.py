"""Certificates of a private authority.

`authority` issues them, `crl` and `registry` are what it knows, `peer` both ends of a connection.
"""
