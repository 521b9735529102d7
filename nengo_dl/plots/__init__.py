"""Pictures of simulations and of training, drawn with matplotlib.

Every function takes ``ax``, the axes to draw on, and returns them; without ``ax`` it
makes a figure. What they draw is what ``sim.data`` and ``sim.train`` return, so all of
it can be drawn in other ways, too. matplotlib comes with
``pip install matplotlib``.
"""

from nengo_dl.plots.activity import energy_bars, firing_rates
from nengo_dl.plots.merged import plan
from nengo_dl.plots.neurons import tuning_curves
from nengo_dl.plots.progress import training_curves
from nengo_dl.plots.samples import probe_traces, spike_raster
from nengo_dl.plots.values import weight_histogram

__all__ = [
    "energy_bars",
    "firing_rates",
    "plan",
    "probe_traces",
    "spike_raster",
    "training_curves",
    "tuning_curves",
    "weight_histogram",
]
