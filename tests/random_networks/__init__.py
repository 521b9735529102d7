"""Random networks, and whether they come out as in Nengo."""
