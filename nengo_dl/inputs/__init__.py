"""What a simulation is fed: data that users give, Processes, random numbers."""
