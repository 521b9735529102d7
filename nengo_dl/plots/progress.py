"""How the loss falls in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.plots.axes import axes, label_plainly, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VALIDATION = "val_"


def training_curves(
    history: Any,
    metrics: Sequence[str] | None = None,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Draw losses and metrics of training after each epoch.

    Parameters
    ----------
    history : np.ndarray, shape (n_epochs,), or keras.callbacks.History, or dict
        The result of ``sim.train`` or ``sim.fit``; or a dict of several results by
        name, to compare them.
    metrics : sequence of str, optional
        Names of losses and metrics; by default all losses. Those of validation, which
        begin with ``val_``, are added as dashed lines of the same colour.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    **line
        For `matplotlib.axes.Axes.plot`, such as ``linewidth``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; x: epochs, beginning with 1, y: values, logarithmic for losses that
        are all positive.

    Raises
    ------
    ValidationError
        If there is nothing to draw, or no such metric; the message lists all metrics.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo_dl, numpy as np
    >>> ax = nengo_dl.plots.training_curves(np.array([1.0, 0.3, 0.1]))
    >>> ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()
    ('epoch', 'loss', 'log')
    """
    reported = _reported(history)
    named = [name for name in reported if not name.startswith(VALIDATION)]
    if metrics is None:
        chosen = [name for name in named if "loss" in name] or named
    else:
        chosen = list(metrics)
    unknown = [name for name in chosen if name not in reported]
    if unknown or not chosen:
        raise ValidationError(
            f"Nothing is known of {', '.join(unknown) or 'any epoch'}; there is "
            f"{', '.join(reported) or 'nothing'}",
            attr="metrics",
        )
    ax = axes(ax, figsize=(5.0, 3.0))
    drawn = []
    for name in chosen:
        values = reported[name]
        epochs = np.arange(1, len(values) + 1)
        (curve,) = ax.plot(epochs, values, **{"label": name, **line})
        drawn.append(values)
        validation = reported.get(VALIDATION + name)
        if validation is not None:
            ax.plot(
                np.arange(1, len(validation) + 1),
                validation,
                **{
                    **line,
                    "label": VALIDATION + name,
                    "linestyle": "--",
                    "color": curve.get_color(),
                },
            )
            drawn.append(validation)
    every_loss = metrics is None or all("loss" in name for name in chosen)
    if every_loss and min(values.min() for values in drawn) > 0:
        ax.set_yscale("log")
        label_plainly(ax.yaxis)
    ax.set(xlabel="epoch", ylabel=chosen[0] if len(chosen) == 1 else "loss")
    if not every_loss and len(chosen) > 1:
        ax.set_ylabel("")
    ax.locator_params(axis="x", integer=True)
    return tidy(ax, len(drawn))


def _reported(history: Any) -> dict[str, np.ndarray]:
    """Return all series by name, shape (n_epochs,) each."""
    values = getattr(history, "history", history)  # of Keras
    if not isinstance(values, Mapping):
        values = {"loss": values}
    found = {
        str(name): np.asarray(getattr(one, "history", {}).get("loss", one), dtype=float)
        if not isinstance(one, Mapping)
        else np.asarray(one["loss"], dtype=float)
        for name, one in values.items()
    }
    for name, series in found.items():
        if series.ndim != 1 or not series.size:
            raise ValidationError(
                f"Expected a loss for each epoch, got an array of shape {series.shape} "
                f"for {name!r}",
                attr="history",
            )
    return found
