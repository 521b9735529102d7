"""Axes to draw on, and matplotlib, which is imported when it is first needed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
