"""Which operators run as one computation, and where each Signal lives. NumPy only."""
