"""Sealed documents.

`dsse` is the envelope, `policy` which signatures each kind of document needs, `seal` a seal that
stands beside a file.
"""
