"""An imitation exchange over real HTTP on loopback, with faults on demand."""
