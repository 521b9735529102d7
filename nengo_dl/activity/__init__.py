"""How active a network is: firing rates, spikes, synaptic operations, and energy.

`nengo_dl.Simulator.activity` counts while data are presented, and `energy` estimates
from that what it would take on devices whose figures are published.
"""

from nengo_dl.activity.counts import Activity, PopulationActivity
from nengo_dl.activity.energy import DEVICES, Device, Energy, energy, register_device
from nengo_dl.activity.rate_statistics import FiringRates

__all__ = [
    "DEVICES",
    "Activity",
    "Device",
    "Energy",
    "FiringRates",
    "PopulationActivity",
    "energy",
    "register_device",
]
