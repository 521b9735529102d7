"""What a classifier answers, and when: beside its spikes, and for many items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np

from nengo_dl.plots.axes import axes, new_axes, tidy
from nengo_dl.plots.samples import (
    given_samples,
    item_samples,
    probe_traces,
    recorded,
    sample_times,
    spike_raster,
)
from nengo_dl.validation import refused

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: what a line that is drawn once for several calls is called
_CHANCE = "chance"


def spikes_and_answer(
    sim: Any,
    spikes: nengo.Probe,
    output: nengo.Probe,
    item: int = 0,
    data: Mapping[nengo.Probe, Any] | None = None,
    target: int | None = None,
    classes: Sequence[str] | None = None,
    axs: Sequence[Axes] | None = None,
) -> tuple[Axes, Axes]:
    """Draw the spikes of a classifier above its outputs, with the same time axis.

    Parameters
    ----------
    sim : nengo_dl.Simulator or nengo.Simulator
        The simulator, open or closed.
    spikes : nengo.Probe
        A Probe of an Ensemble's ``neurons``, without a synapse.
    output : nengo.Probe
        A Probe with one dimension for each class; the largest one is the answer.
    item : int, optional
        Index of the item in the minibatch.
    data : mapping of nengo.Probe to array_like, optional
        Samples to draw instead of ``sim.data``, such as the result of ``sim.predict``.
    target : int, optional
        The right class. Its output is drawn in another colour if it is not the answer.
    classes : sequence of str, optional
        Names of the classes; by default their numbers.
    axs : sequence of matplotlib.axes.Axes, optional
        Two axes to draw on, for spikes and for outputs; by default in a new figure.

    Returns
    -------
    tuple of matplotlib.axes.Axes
        The axes with the spikes and those with the outputs: grey lines, in blue the one
        with the answer at the end, and as a thick line the largest output of each time
        step.

    Raises
    ------
    ValidationError
        If a Probe is not in the network, has recorded nothing or has no such item, or
        target, classes or axes do not fit.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     ensemble = nengo.Ensemble(20, 3)
    ...     spikes = nengo.Probe(ensemble.neurons)
    ...     output = nengo.Probe(ensemble, synapse=0.02)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     sim.run(0.1)
    >>> above, below = nengo_dl.plots.spikes_and_answer(sim, spikes, output)
    >>> above.get_xlim() == below.get_xlim(), below.get_xlabel()
    (True, 'time (s)')
    """
    given = given_samples(data)
    times, samples = item_samples(sim, output, item, given.get(output))
    samples = samples.reshape(len(samples), -1)
    n_classes = samples.shape[1]
    names = [str(i) for i in range(n_classes)] if classes is None else list(classes)
    if len(names) != n_classes:
        raise refused(classes, "classes", f"{n_classes} names, one for each output")
    if target is not None:
        target = int(_class_numbers(target, "target", n_classes, 1)[0])
    above, below = new_axes(axs, 2, (7.0, 4.5))
    spike_raster(sim, spikes, item, given.get(spikes), ax=above)
    probe_traces(
        sim, output, item, given.get(output), ax=below, color="0.75", label="_"
    )
    answers = np.argmax(samples, axis=1)
    answer = answers[-1]
    below.lines[answer].set(color="C0", zorder=3)
    title = f"answer: {names[answer]}"
    if target is not None and target != answer:
        below.lines[target].set(color="C1", zorder=3)
        title += f", right: {names[target]} (orange)"
    below.plot(times, samples.max(axis=1), color="black", alpha=0.25, linewidth=5)
    above.set_title(title, fontsize="medium", loc="left")
    _same_time(above, below)
    return above, below


def accuracy_over_time(
    sim: Any,
    probe: nengo.Probe,
    labels: Any,
    data: Any = None,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Draw the accuracy of a classifier against the time for which items are presented.

    Parameters
    ----------
    sim : nengo_dl.Simulator
        The simulator, open or closed.
    probe : nengo.Probe
        A Probe with one dimension for each class; the largest one is the answer.
    labels : array_like of int, shape (n_items,)
        The right class of each item; further axes of length 1 are ignored.
    data : array_like, shape (n_items, n_samples, n_classes), optional
        Samples to draw instead of ``sim.data[probe]``, such as the result of
        ``sim.predict`` for the Probe. The first sample is that of the first time step.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure. Several networks can be drawn
        on the same axes, each with a ``label``.
    **line
        For `matplotlib.axes.Axes.plot`, such as ``label``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; x: time for which items have been presented (s), y: accuracy (%). A
        dotted line shows the accuracy of guessing.

    Raises
    ------
    ValidationError
        If nothing has been recorded, outputs are not those of a minibatch, or there is
        not one label for each item.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo, nengo_dl, numpy as np
    >>> with nengo.Network(seed=0) as net:
    ...     probe = nengo.Probe(nengo.Node([0, 0]))
    >>> sim = nengo_dl.Simulator(net, progress_bar=False)
    >>> sim.close()
    >>> outputs = np.zeros((2, 3, 2))  # items, time steps, classes
    >>> outputs[:, 1:, 1] = 1
    >>> ax = nengo_dl.plots.accuracy_over_time(sim, probe, [1, 1], data=outputs)
    >>> ax.lines[0].get_ydata().tolist()
    [0.0, 100.0, 100.0]
    """
    outputs = recorded(sim, probe, data)
    if outputs.ndim != 3:
        raise refused(
            outputs.shape,
            "probe" if data is None else "data",
            "outputs of shape (n_items, n_samples, n_classes): of a simulator with a "
            "minibatch, or of `sim.predict`",
        )
    n_items, n_samples, n_classes = outputs.shape
    wanted = _class_numbers(labels, "labels", n_classes, n_items)
    # outputs that are no numbers are no answer
    is_number = ~np.isnan(outputs).any(axis=2)
    right = (outputs.argmax(axis=2) == wanted[:, None]) & is_number
    times = sample_times(sim, probe, n_samples, data)
    ax = axes(ax, figsize=(6.0, 2.8))
    ax.plot(times, 100 * right.mean(axis=0), **line)
    if not any(one.get_gid() == _CHANCE for one in ax.lines):
        chance = ax.axhline(100 / n_classes, color="0.7", linestyle=":", zorder=0)
        chance.set_gid(_CHANCE)
    ax.set(xlabel="presentation time (s)", ylabel="recognised (%)", ylim=(0, 102))
    named = [one for one in ax.lines if not str(one.get_label()).startswith("_")]
    return tidy(ax, len(named))


def _class_numbers(given: Any, name: str, n_classes: int, n_items: int) -> np.ndarray:
    """Return numbers of classes, shape (n_items,)."""
    found = np.asarray(given)
    expected = f"{n_items} whole numbers from 0 to {n_classes - 1}"
    if found.size != n_items or found.dtype.kind not in "iuf":
        raise refused(given, name, expected)
    found = found.ravel()
    if not np.all((found == np.round(found)) & (found >= 0) & (found < n_classes)):
        raise refused(given, name, expected)
    return found.astype(int)


def _same_time(above: Axes, below: Axes) -> None:
    """Give two axes, one above the other, the same axis of time."""
    ends = [ax.dataLim.intervalx for ax in (above, below) if ax.has_data()]
    limits = above.get_xlim()
    start = min(limits[0], *(end[0] for end in ends))
    stop = max(limits[1], *(end[1] for end in ends))
    for ax in (above, below):
        ax.set_xlim(start, stop)
    above.label_outer()
