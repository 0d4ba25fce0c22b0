"""The version of the `oem` command, readable without asking the package metadata."""

VERSION = "0.1.0"
