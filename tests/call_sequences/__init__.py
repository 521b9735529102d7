"""Random sequences of calls of simulators, and what must hold after each of them."""
