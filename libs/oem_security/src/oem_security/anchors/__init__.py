"""The vendor's keys that a site trusts.

`trusted` is what a site pins, `chain` how a version signs the next, `install` a site's side of it.
"""
