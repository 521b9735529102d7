"""Axes to draw on, and matplotlib, which is imported when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from nengo_dl.validation import refused

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: more lines than this get no legend: nobody could tell them apart by colour
MAX_LEGEND = 10


def require_matplotlib() -> None:
    """Raise an error if matplotlib is not installed.

    Raises
    ------
    ImportError
        The message says how to install it.
    """
    if find_spec("matplotlib") is None:
        raise ImportError(
            "nengo_dl.plots draws with matplotlib, which is not installed: "
            "`pip install matplotlib`"
        )


def axes(ax: Axes | None, figsize: tuple[float, float] = (7.0, 3.0)) -> Axes:
    """Return the axes that were given, or those of a new figure.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        As the user gave it.
    figsize : tuple of float
        Width and height of a new figure (inches).
    """
    require_matplotlib()
    if ax is not None:
        return ax
    # pyplot shows figures at the end of a notebook's cell
    from matplotlib import pyplot

    _, new = pyplot.subplots(figsize=figsize, layout="constrained")
    return new


def new_axes(
    axs: Sequence[Axes] | None, n_rows: int, figsize: tuple[float, float]
) -> Sequence[Axes]:
    """Return the axes that were given, or those of a new figure, below each other.

    Parameters
    ----------
    axs : sequence of matplotlib.axes.Axes or None
        As the user gave them.
    n_rows : int
        How many there have to be.
    figsize : tuple of float
        Width and height of a new figure (inches).

    Raises
    ------
    ValidationError
        If another number of axes was given.
    """
    require_matplotlib()
    if axs is not None:
        given = list(np.ravel(np.asarray(axs, dtype=object)))
        if len(given) != n_rows:
            raise refused(axs, "axs", f"{n_rows} axes to draw on")
        return given
    from matplotlib import pyplot

    _, rows = pyplot.subplots(
        n_rows, figsize=figsize, sharex=True, squeeze=False, layout="constrained"
    )
    return list(rows[:, 0])


def tidy(ax: Axes, n_lines: int = 0) -> Axes:
    """Take away the frame's upper and right side; add a legend if there is one.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        What was drawn on.
    n_lines : int
        How many labelled lines there are.
    """
    ax.spines[["top", "right"]].set_visible(False)
    if 1 < n_lines <= MAX_LEGEND:
        ax.legend(frameon=False)
    return ax


def label_plainly(axis: Axis) -> None:
    """Write the numbers of a logarithmic axis as 0.2 and 30.

    Matplotlib writes 0.2 as two times ten to the power of minus one.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        The axis.
    """
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        """Chooses as Matplotlib does which numbers are written."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    axis.set_major_formatter(Plain())
    # all numbers within two powers of ten, some of them within less than half of one
    axis.set_minor_formatter(Plain(labelOnlyBase=False, minor_thresholds=(2, 0.4)))
