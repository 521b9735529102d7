"""Nengo's operator graph: built, freed of inputs, described and simplified.

NumPy and Nengo only; nothing below this folder imports TensorFlow.
"""
