"""The live values of one simulation: state, parameters, samples, ``sim.data``."""
