"""Parameters in and out: files by name, and back into Nengo's objects."""
