"""The Qt console: a gRPC client of the daemon."""
