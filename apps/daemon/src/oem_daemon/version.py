"""The version of the daemon."""

VERSION = "0.1.0"
