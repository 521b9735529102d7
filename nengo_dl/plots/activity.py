"""Pictures of firing rates, and of estimates of energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nengo_dl.plots.axes import axes, tidy
from nengo_dl.validation import refused

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def firing_rates(activity: Any, ax: Axes | None = None, **boxes: Any) -> Axes:
    """Draw the firing rates of each population: the middle half, and the extremes.

    Parameters
    ----------
    activity : nengo_dl.activity.Activity
        What `nengo_dl.Simulator.activity` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.
    **boxes
        For `matplotlib.axes.Axes.boxplot`. By default lines go from the 1st to the 99th
        percentile.

    Returns
    -------
    matplotlib.axes.Axes
        One box for each population, upwards the rates of its neurons (Hz).

    Raises
    ------
    ValidationError
        If it is no Activity, or there are no neurons.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     ensemble = nengo.Ensemble(20, 1, label="ensemble")
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     ax = nengo_dl.plots.firing_rates(sim.activity(n_steps=50))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['ensemble']
    """
    populations = getattr(activity, "populations", ())
    if not populations:
        raise refused(activity, "activity", "the Activity of a network with neurons")
    ax = axes(ax)
    options = {"whis": (1, 99), "showfliers": False, **boxes}
    ax.boxplot([p.rates for p in populations], **options)
    ax.set_xticks(
        range(1, len(populations) + 1), [population.label for population in populations]
    )
    ax.set(ylabel="rate (Hz)")
    return tidy(ax)


def energy_bars(energy: Any, ax: Axes | None = None, **bars: Any) -> Axes:
    """Draw the estimated energy of an inference, device by device.

    Parameters
    ----------
    energy : nengo_dl.activity.Energy
        What `nengo_dl.activity.energy` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.
    **bars
        For `matplotlib.axes.Axes.barh`, such as ``color``.

    Returns
    -------
    matplotlib.axes.Axes
        One bar for each device, on a logarithmic axis (J). Those in grey compute the
        network without spikes.

    Raises
    ------
    ValidationError
        If it is no Energy.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     ensemble = nengo.Ensemble(20, 1)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     energy = nengo_dl.energy(sim.activity(n_steps=50), ["loihi", "spinnaker"])
    >>> ax = nengo_dl.plots.energy_bars(energy)
    >>> len(ax.patches)
    2
    """
    devices = getattr(energy, "devices", ())
    if not devices:
        raise refused(energy, "energy", "the Energy that `nengo_dl.energy` returns")
    ax = axes(ax, (7.0, 1.0 + 0.3 * len(devices)))
    names = [
        one.device.name + ("" if one.device.spiking else " (no spikes)")
        for one in devices
    ]
    colors = ["C0" if one.device.spiking else "grey" for one in devices]
    ax.barh(names, [one.per_inference for one in devices], **{"color": colors, **bars})
    if any(one.per_inference > 0 for one in devices):
        ax.set_xscale("log")
    ax.invert_yaxis()
    ax.set(xlabel="estimated energy of an inference (J)")
    return tidy(ax)
