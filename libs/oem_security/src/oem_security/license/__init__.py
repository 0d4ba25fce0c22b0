"""A licence's life.

`request`, `issue`, `install`, `verify` in this order; `guard` answers what a verified licence
grants, `terms` says what one may hold, `registry` and `state` are what is remembered.
"""
