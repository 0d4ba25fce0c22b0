"""Keys of a site and of a vendor.

`key` is one key with its epoch and its derivations, `keyring` all of them in a directory,
`rotation` the rules by which they are replaced.
"""
