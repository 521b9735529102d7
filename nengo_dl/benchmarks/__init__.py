"""Speed, as ratios to ``nengo.Simulator`` in the same process.

Run ``python -m nengo_dl.benchmarks`` for the table, with names of networks to choose
from them, or use `measure` and the networks from Python.
"""

from nengo_dl.benchmarks.dynamics import basal_ganglia, integrator
from nengo_dl.benchmarks.images import mnist
from nengo_dl.benchmarks.learning import pes
from nengo_dl.benchmarks.lmu import lmu
from nengo_dl.benchmarks.measure import Measurement, measure
from nengo_dl.benchmarks.networks import NETWORKS
from nengo_dl.benchmarks.profiles import run_profile
from nengo_dl.benchmarks.random_networks import random_network, spaun
from nengo_dl.benchmarks.vectors import cconv, spa_memory

__all__ = [
    "NETWORKS",
    "Measurement",
    "basal_ganglia",
    "cconv",
    "integrator",
    "lmu",
    "measure",
    "mnist",
    "pes",
    "random_network",
    "run_profile",
    "spa_memory",
    "spaun",
]
