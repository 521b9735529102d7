"""A network in files that need neither Nengo nor this package: one format per file."""
