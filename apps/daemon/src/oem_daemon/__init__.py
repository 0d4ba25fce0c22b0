"""The trading daemon that composes the four libraries behind gRPC."""

# before grpc is first imported anywhere below: leaves TLS 1.3 as its only handshake
import oem_api as oem_api
