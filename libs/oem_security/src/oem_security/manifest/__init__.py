"""Sealed manifests: what a tree of files must be, byte for byte."""
