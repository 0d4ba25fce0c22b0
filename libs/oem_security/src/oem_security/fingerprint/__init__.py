"""What tells one device from another.

`fingerprint` holds the digests and the verdict; each kind of probe has a file of its own.
"""
