"""Pictures of firing rates, and of estimates of energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nengo_dl.plots.axes import axes, new_axes, tidy
from nengo_dl.validation import positive_int, refused

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: of one figure: more rows than this are not looked at
_MAX_ROWS = 30


def firing_rates(activity: Any, ax: Axes | None = None, **boxes: Any) -> Axes:
    """Draw a box plot of the firing rates of each population.

    Parameters
    ----------
    activity : nengo_dl.activity.Activity
        The result of `nengo_dl.Simulator.activity`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    **boxes
        For `matplotlib.axes.Axes.boxplot`. By default whiskers reach from the 1st to
        the 99th percentile.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a box for each population; y: rates of its neurons (Hz).

    Raises
    ------
    ValidationError
        If ``activity`` is not an Activity, or there are no neurons.
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


def rate_histograms(
    activity: Any,
    populations: Sequence[Any] | None = None,
    bins: int = 20,
    axs: Sequence[Axes] | None = None,
    **bars: Any,
) -> list[Axes]:
    """Draw how many neurons of each population fire at which rate.

    Parameters
    ----------
    activity : nengo_dl.activity.Activity
        The result of `nengo_dl.Simulator.activity`.
    populations : sequence of str or nengo.Ensemble, optional
        Labels of the populations, or the Ensembles; by default all of them.
    bins : int, optional
        Number of bars, the same for all populations.
    axs : sequence of matplotlib.axes.Axes, optional
        Axes to draw on, one for each population; by default those of a new figure, one
        below the other, with the same x axis.
    **bars
        For `matplotlib.axes.Axes.hist`, such as ``color``.

    Returns
    -------
    list of matplotlib.axes.Axes
        The axes; x: rates (Hz), y: numbers of neurons. Titles show the mean rate and
        the number of neurons that never fire.

    Raises
    ------
    ValidationError
        If ``activity`` is not an Activity, there are no neurons or no such population,
        or there are more than 30 of them and none were chosen.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     a, b = (nengo.Ensemble(20, 1, label=label) for label in "ab")
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     axs = nengo_dl.plots.rate_histograms(sim.activity(n_steps=50), bins=5)
    >>> [int(sum(bar.get_height() for bar in ax.patches)) for ax in axs]
    [20, 20]
    """
    chosen = _chosen(activity, populations)
    bins = positive_int(bins, "bins")
    fastest = max(float(population.rates.max()) for population in chosen)
    edges = np.linspace(0, fastest or 1.0, bins + 1).tolist()
    axs = new_axes(axs, len(chosen), (6.0, 0.8 + 1.3 * len(chosen)))
    for ax, population in zip(axs, chosen, strict=True):
        ax.hist(population.rates, edges, **bars)
        ax.set_title(
            f"{population.label}: mean {population.mean:.3g} Hz, "
            f"{population.silent} of {population.n_neurons} silent",
            fontsize="medium",
            loc="left",
        )
        ax.set(ylabel="neurons")
        ax.locator_params(axis="y", integer=True, nbins=4)
        tidy(ax)
    axs[-1].set(xlabel="rate (Hz)")
    return list(axs)


def _chosen(activity: Any, populations: Sequence[Any] | None) -> list[Any]:
    """Return the populations that are to be drawn."""
    known = getattr(activity, "populations", ())
    if not known:
        raise refused(activity, "activity", "the Activity of a network with neurons")
    if populations is None:
        if len(known) > _MAX_ROWS:
            raise refused(
                f"{len(known)} populations",
                "populations",
                f"the labels of those to draw, where there are more than {_MAX_ROWS}",
            )
        return list(known)
    if isinstance(populations, str) or not populations:
        raise refused(populations, "populations", "a list of labels or Ensembles")
    try:
        return [activity[one] for one in populations]
    except KeyError as error:
        labels = ", ".join(repr(one.label) for one in known)
        expected = f"labels or Ensembles among {labels}"
        raise refused(populations, "populations", expected) from error


def energy_bars(energy: Any, ax: Axes | None = None, **bars: Any) -> Axes:
    """Draw the estimated energy of an inference for each device.

    Parameters
    ----------
    energy : nengo_dl.activity.Energy
        The result of `nengo_dl.activity.energy`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    **bars
        For `matplotlib.axes.Axes.barh`, such as ``color``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a bar for each device, with its energy beside it; x: energy (J),
        logarithmic. Devices with grey bars compute the network without spikes.

    Raises
    ------
    ValidationError
        If ``energy`` is not an Energy.
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
    from matplotlib.ticker import EngFormatter

    names = [
        one.device.name + ("" if one.device.spiking else " (no spikes)")
        for one in devices
    ]
    colors = ["C0" if one.device.spiking else "grey" for one in devices]
    joules = [one.per_inference for one in devices]
    drawn = ax.barh(names, joules, **{"color": colors, **bars})
    in_joules = EngFormatter(unit="J")  # of two digits: 1.2 µJ
    numbers = [f" {in_joules(float(f'{value:.2g}'))}" for value in joules]
    ax.bar_label(drawn, numbers, fontsize="small")
    positive = [value for value in joules if value > 0]
    if positive:
        ax.set_xscale("log")
        # the shortest bar can be seen, and there is room for numbers
        ax.set_xlim(10 ** np.floor(np.log10(0.5 * min(positive))), 3 * max(positive))
    ax.invert_yaxis()
    ax.set(xlabel="estimated energy of an inference (J)")
    return tidy(ax)
