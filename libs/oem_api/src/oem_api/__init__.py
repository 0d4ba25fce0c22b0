"""The gRPC surface of the daemon: protos, generated stubs and a small client."""
