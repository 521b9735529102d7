"""The public methods of a simulator, one family per file; each only forwards."""
