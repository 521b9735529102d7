"""Pictures of simulations and of training, drawn with matplotlib.

Every function takes ``ax``, the axes to draw on, and returns them; without ``ax`` it
makes a figure. Those that draw several pictures below each other take ``axs``, and
`animate_spikes` writes a file. What they draw is what ``sim.data`` and ``sim.train``
return, so all of it can be drawn in other ways, too. matplotlib comes with
``pip install matplotlib``.
"""

from nengo_dl.plots.activity import energy_bars, firing_rates, rate_histograms
from nengo_dl.plots.animation import animate_spikes
from nengo_dl.plots.classification import accuracy_over_time, spikes_and_answer
from nengo_dl.plots.merged import plan
from nengo_dl.plots.neurons import tuning_curves
from nengo_dl.plots.progress import training_curves
from nengo_dl.plots.samples import probe_traces, spike_raster
from nengo_dl.plots.values import weight_histogram

__all__ = [
    "accuracy_over_time",
    "animate_spikes",
    "energy_bars",
    "firing_rates",
    "plan",
    "probe_traces",
    "rate_histograms",
    "spike_raster",
    "spikes_and_answer",
    "training_curves",
    "tuning_curves",
    "weight_histogram",
]
