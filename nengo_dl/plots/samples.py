"""What probes have recorded: traces over time, and spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.plots.axes import axes, tidy
from nengo_dl.validation import refused

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def probe_traces(
    sim: Any,
    probe: nengo.Probe,
    item: int = 0,
    data: Any = None,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Draw the samples of a Probe over time.

    Parameters
    ----------
    sim : nengo_dl.Simulator or nengo.Simulator
        The simulator, open or closed.
    probe : nengo.Probe
        The Probe; each dimension is a line.
    item : int, optional
        Index of the item in the minibatch.
    data : array_like, shape (n_samples, d) or (minibatch_size, n_samples, d), optional
        Samples to draw instead of ``sim.data[probe]``: the result of ``sim.predict``
        for the Probe, or a target. The first sample is that of the first time step.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    **line
        For `matplotlib.axes.Axes.plot`, such as ``color``. A ``label`` is used for all
        lines, instead of names of dimensions.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; x: time (s), y: samples.

    Raises
    ------
    ValidationError
        If the Probe is not in the network, has recorded nothing yet, or has no such
        item.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     node = nengo.Node(lambda t: [t, -t])
    ...     probe = nengo.Probe(node)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     sim.run(0.1)
    >>> ax = nengo_dl.plots.probe_traces(sim, probe)
    >>> [line.get_label() for line in ax.lines]
    ['dimension 0', 'dimension 1']
    """
    times, samples = item_samples(sim, probe, item, data)
    ax = axes(ax)
    samples = samples.reshape(len(samples), -1)
    for i, column in enumerate(samples.T):
        ax.plot(times, column, **{"label": f"dimension {i}", **line})
    ax.margins(x=0)  # as in rasters: one below the other, their times line up
    ax.set(xlabel="time (s)", ylabel=_name(probe))
    one_label = "label" in line or samples.shape[1] == 1
    return tidy(ax, 0 if one_label else samples.shape[1])


def spike_raster(
    sim: Any,
    probe: nengo.Probe,
    item: int = 0,
    data: Any = None,
    neurons: Sequence[int] | None = None,
    ax: Axes | None = None,
    **markers: Any,
) -> Axes:
    """Draw a mark for each time step in which a neuron fires.

    Parameters
    ----------
    sim : nengo_dl.Simulator or nengo.Simulator
        The simulator, open or closed.
    probe : nengo.Probe
        A Probe of an Ensemble's ``neurons``, without a synapse. For other Probes, each
        sample that is not zero is a mark.
    item : int, optional
        Index of the item in the minibatch.
    data : array_like, optional
        Samples to draw instead of ``sim.data[probe]``, of shape (n_samples, n_neurons)
        or (minibatch_size, n_samples, n_neurons).
    neurons : sequence of int, optional
        Indices of neurons, from the lowest row to the highest; by default all.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    **markers
        For `matplotlib.axes.Axes.plot`, such as ``color`` and ``markersize``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; x: time (s), y: neurons.

    Raises
    ------
    ValidationError
        If the Probe is not in the network, has recorded nothing yet, or has no such
        item.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     ensemble = nengo.Ensemble(20, 1)
    ...     probe = nengo.Probe(ensemble.neurons)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     sim.run(0.1)
    >>> ax = nengo_dl.plots.spike_raster(sim, probe)
    >>> len(ax.lines[0].get_xdata()) == int((sim.data[probe] > 0).sum())
    True
    """
    times, samples = item_samples(sim, probe, item, data)
    samples = samples.reshape(len(samples), -1)
    if neurons is not None:
        samples = samples[:, list(neurons)]
    ax = axes(ax)
    steps, rows = np.nonzero(samples)
    # marks that touch the next row look like lines: less than a row's height (points)
    height = ax.get_window_extent().height / ax.figure.dpi * 72 / samples.shape[1]
    style: dict[str, Any] = {
        "marker": "|",
        "color": "black",
        "linestyle": "none",
        "markersize": float(np.clip(0.8 * height, 1, 12)),
    }
    ax.plot(times[steps], rows, **{**style, **markers})
    ax.set(
        xlabel="time (s)",
        ylabel="neuron",
        xlim=(times[0], times[-1]),
        ylim=(-0.5, samples.shape[1] - 0.5),
    )
    ax.locator_params(axis="y", integer=True)
    if neurons is not None and len(neurons) <= 20:
        ax.set_yticks(range(len(neurons)), [str(i) for i in neurons])
    return tidy(ax)


def item_samples(
    sim: Any, probe: nengo.Probe, item: int, data: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return times (s), shape (n,), and samples of one item, shape (n, d).

    Parameters
    ----------
    sim, probe, item, data
        As for `probe_traces`.

    Raises
    ------
    ValidationError
        If the Probe has recorded nothing yet, or has no such item.
    """
    found = recorded(sim, probe, data)
    batched = (
        found.ndim == 3
        if data is not None
        else getattr(sim, "minibatch_size", None) is not None
    )
    if batched:
        whole = isinstance(item, int | np.integer)
        if not whole or not -len(found) <= item < len(found):
            raise ValidationError(
                f"Expected an item from 0 to {len(found) - 1}, got {item}", attr="item"
            )
        found = found[item]
    return sample_times(sim, probe, len(found), data), found


def given_samples(
    data: Mapping[nengo.Probe, Any] | None,
) -> Mapping[nengo.Probe, Any]:
    """Return samples by Probe, as ``sim.predict`` returns them.

    Raises
    ------
    ValidationError
        If it is something else.
    """
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise refused(data, "data", "a mapping of Probes to samples")
    return data


def recorded(sim: Any, probe: nengo.Probe, data: Any) -> np.ndarray:
    """Return what is to be drawn: ``data``, or what the Probe has recorded.

    Raises
    ------
    ValidationError
        If there is nothing.
    """
    found = np.asarray(sim.data[probe] if data is None else data)
    if found.size == 0:
        raise ValidationError(
            f"There is nothing to draw: {probe} has not recorded anything yet. Run the "
            "simulator, or give `data`",
            attr="probe",
        )
    return found


def sample_times(sim: Any, probe: nengo.Probe, n_samples: int, data: Any) -> np.ndarray:
    """Return the times of samples (s), shape (n_samples,).

    Those of ``data`` begin with the first step.
    """
    if data is None:
        # a Probe that keeps no history has the last sample only
        return sim.trange(sample_every=probe.sample_every)[-n_samples:]
    return np.arange(1, n_samples + 1) * (probe.sample_every or sim.dt)


def _name(probe: nengo.Probe) -> str:
    """Return what to write beside the samples of a Probe."""
    if probe.label is not None:
        return probe.label
    label = getattr(probe.obj, "label", None)
    return probe.attr if label is None else f"{label}: {probe.attr}"
