"""Weights, encoders and biases: as they were built, and as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError

from nengo_dl.plots.axes import axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def weight_histogram(
    sim: Any, obj: Any, bins: int = 40, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw histograms of the initial and current parameters of an object.

    Parameters
    ----------
    sim : nengo_dl.Simulator
        The simulator. It must be open to draw the current parameters.
    obj : nengo.Connection, nengo.Ensemble or nengo.ensemble.Neurons
        A Connection for its weights (with decoders), an Ensemble for its scaled
        encoders, its ``neurons`` for their biases. Parameters that a learning rule has
        changed are drawn for all items of the minibatch.
    bins : int, optional
        Number of bins, the same for both.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    **style
        For `matplotlib.axes.Axes.hist`, such as ``density``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; x: values, y: number of values in each bin. Filled bars show the
        initial values, an outline the current ones, if any has changed.

    Raises
    ------
    ValidationError
        If the object has no such parameters, is not in the network, or has values that
        are not finite, because training has diverged.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo, nengo_dl, numpy as np
    >>> with nengo.Network(seed=0) as net:
    ...     node = nengo.Node([0])
    ...     ensemble = nengo.Ensemble(20, 1, neuron_type=nengo.RectifiedLinear())
    ...     connection = nengo.Connection(node, ensemble, synapse=None)
    ...     probe = nengo.Probe(ensemble)
    >>> x = np.linspace(-1, 1, 50).reshape(50, 1, 1)
    >>> with nengo_dl.Simulator(net, minibatch_size=10, progress_bar=False) as sim:
    ...     losses = sim.train({node: x, probe: x**2}, "adam", n_epochs=20)
    ...     ax = nengo_dl.plots.weight_histogram(sim, ensemble.neurons)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['as built', 'now']
    """
    owner, name, label = _parameter(obj)
    now = _values(sim.data[owner], name)
    before = _values(sim.model.params[owner], name)
    if now is None or before is None:
        raise ValidationError(f"{obj} has no {label} to draw", attr="obj")
    if not np.isfinite(now).all():
        raise ValidationError(
            f"The {label} of {_name(obj)} are not finite any more. Train with a "
            "smaller learning rate",
            attr="obj",
        )
    changed = now.size != before.size or not np.array_equal(
        now, before.astype(now.dtype)
    )
    ax = axes(ax)
    both = np.concatenate([before, now]) if changed else now
    edges = np.histogram_bin_edges(both, bins).tolist()
    if changed:
        ax.hist(before, edges, **{"label": "as built", "alpha": 0.35, **style})
    # items of a minibatch are copies: as many values as were built
    copies = np.full(now.size, before.size / now.size)
    outline = {"histtype": "step", "linewidth": 1.5} if changed else {}
    ax.hist(now, edges, **{"weights": copies, "label": "now", **outline, **style})
    ax.set(xlabel=f"{label} of {_name(obj)}", ylabel="number")
    ax.locator_params(axis="x", nbins=6)
    ax.ticklabel_format(axis="x", scilimits=(-2, 4))
    return tidy(ax, 2 if changed else 1)


def _parameter(obj: Any) -> tuple[Any, str, str]:
    """Return whose record has the parameters of an object, its field, and a name."""
    if isinstance(obj, nengo.Connection):
        return obj, "weights", "weights"
    if isinstance(obj, nengo.Ensemble):
        return obj, "scaled_encoders", "scaled encoders"
    if isinstance(obj, Neurons):
        return obj.ensemble, "bias", "biases"
    raise ValidationError(
        f"Expected a Connection, an Ensemble, or its neurons, got {obj!r}", attr="obj"
    )


def _name(obj: Any) -> str:
    """Return a short name: the label, or that of the Ensemble, or both ends."""
    if isinstance(obj, nengo.Connection) and obj.label is None:
        return f"{_name(obj.pre_obj)} → {_name(obj.post_obj)}"
    if isinstance(obj, Neurons):
        return f"{_name(obj.ensemble)}.neurons"
    label = getattr(obj, "label", None)
    return str(obj) if label is None else label


def _values(built: Any, name: str) -> np.ndarray | None:
    """Return the numbers of a parameter, shape (n,); None if there are none."""
    value = getattr(built, name)
    if value is None:
        return None
    if hasattr(value, "tocoo"):  # of SciPy
        value = value.tocoo().data
    elif hasattr(value, "indices"):  # of Nengo
        value = value.data
    found = np.ravel(np.asarray(value, dtype=float))
    return found if found.size else None
