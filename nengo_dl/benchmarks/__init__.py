"""Speed, as ratios to ``nengo.Simulator`` in the same process.

Run ``python -m nengo_dl.benchmarks`` for the table, with names of networks to choose
from them, or use `measure` and the networks from Python.
"""

from nengo_dl.benchmarks.measure import Measurement, measure
from nengo_dl.benchmarks.networks import NETWORKS

__all__ = ["NETWORKS", "Measurement", "measure"]
