"""The trading daemon that composes the four libraries behind gRPC."""
