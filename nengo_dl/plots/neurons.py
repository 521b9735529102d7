"""How neurons answer to what their Ensemble represents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.plots.axes import axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def tuning_curves(
    sim: Any,
    ensemble: nengo.Ensemble,
    direction: Any = None,
    neurons: Sequence[int] | None = None,
    item: int = 0,
    n_points: int = 201,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Draw the firing rates of an Ensemble's neurons.

    The rates are computed with the current parameters of the simulator, as changed by
    training and learning rules. The current of a neuron is the product of its scaled
    encoder and the represented vector, plus its bias.

    Parameters
    ----------
    sim : nengo_dl.Simulator or nengo.Simulator
        The simulator. Once it is closed, the initial parameters are used.
    ensemble : nengo.Ensemble
        One of its Ensembles.
    direction : array_like, shape (d,), optional
        Direction of the represented vector, of any length. By default the encoder of
        each neuron; in one dimension the positive direction.
    neurons : sequence of int, optional
        Indices of neurons; by default all.
    item : int, optional
        Index of the item in the minibatch, if a learning rule has changed encoders.
    n_points : int, optional
        Number of points on each curve.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    **line
        For `matplotlib.axes.Axes.plot`, such as ``color``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; x: represented value, from ``-ensemble.radius`` to
        ``ensemble.radius``, y: rate (Hz), without the neurons' amplitude.

    Raises
    ------
    ValidationError
        If the Ensemble is not in the network, or in Direct mode, or the direction has
        another shape.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     ensemble = nengo.Ensemble(20, 1)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     ax = nengo_dl.plots.tuning_curves(sim, ensemble)
    >>> len(ax.lines)
    20
    """
    built = sim.data[ensemble]
    if built.bias is None or built.scaled_encoders is None:
        raise ValidationError(
            f"{ensemble} is in Direct mode, so it has no neurons and no rates",
            attr="ensemble",
        )
    encoders = built.scaled_encoders
    if encoders.ndim == 3:
        encoders = encoders[item]
    points = np.linspace(-ensemble.radius, ensemble.radius, n_points)
    if direction is None and ensemble.dimensions > 1:
        currents = points[:, None] * np.linalg.norm(encoders, axis=1) + built.bias
        label = "represented value, along each neuron's encoder"
    else:
        unit = _unit(direction, ensemble.dimensions)
        currents = points[:, None] * (encoders @ unit) + built.bias
        label = "represented value"
        if ensemble.dimensions > 1:
            label += f", along {np.round(unit, 2).tolist()}"
    ones = np.ones(ensemble.n_neurons)
    rates = ensemble.neuron_type.rates(currents, ones, 0 * ones)
    # what neurons put out is their amplitude times their rate
    rates = rates / (getattr(ensemble.neuron_type, "amplitude", 1) or 1)

    if neurons is not None:
        rates = rates[:, list(neurons)]

    ax = axes(ax)
    ax.plot(points, rates, **{"linewidth": 1, **line})
    ax.set(xlabel=label, ylabel="rate (Hz)")
    return tidy(ax)


def _unit(direction: Any, dimensions: int) -> np.ndarray:
    """Return a direction as a vector of length 1."""
    if direction is None:
        return np.ones(1)
    vector = np.asarray(direction, dtype=float)
    length = np.linalg.norm(vector)
    if vector.shape != (dimensions,) or not length > 0:
        raise ValidationError(
            f"Expected a vector of {dimensions} numbers, not all of them 0, got "
            f"{direction!r}",
            attr="direction",
        )
    return vector / length
