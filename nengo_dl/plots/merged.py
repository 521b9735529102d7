"""A picture of the plan: which operators of a network run as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nengo.exceptions import SimulatorClosed

from nengo_dl.plots.axes import axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plan(sim: Any, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw the groups of operators of a time step, in the order in which they run.

    Parameters
    ----------
    sim : nengo_dl.Simulator
        The simulator, open.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure, as tall as the plan needs.
    **style
        For `matplotlib.axes.Axes.barh`, such as ``height``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a bar for each group, from top to bottom in the order in which they
        run. Its length is the number of operators. Groups with the same type of
        operator have the same colour.

    Raises
    ------
    SimulatorClosed
        If the simulator was closed.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     ensembles = [nengo.Ensemble(10, 1) for _ in range(5)]
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     ax = nengo_dl.plots.plan(sim)
    >>> [int(bar.get_width()) for bar in ax.patches if bar.get_width() == 5][-1]
    5
    """
    if sim.closed:
        raise SimulatorClosed(
            "Cannot draw its plan: the simulator is closed. Draw it within the `with` "
            "block"
        )
    groups = sim.report().groups
    names = [group.name for group in groups]
    sizes = [group.n_operators for group in groups]
    ax = axes(ax, figsize=(7.0, 1.2 + 0.22 * max(len(groups), 4)))
    kinds = {name: f"C{i % 10}" for i, name in enumerate(dict.fromkeys(names))}
    rows = range(len(groups))
    bars = ax.barh(
        rows, sizes, **{"height": 0.7, "color": [kinds[n] for n in names], **style}
    )
    ax.bar_label(bars, padding=3, fontsize="small")
    ax.set_yticks(rows, names, fontsize="small")
    ax.set(
        xlabel="operators that run as one",
        xlim=(0, 1.1 * max(sizes, default=1)),
        ylim=(len(groups) - 0.4, -0.6),
        title=f"{sum(sizes)} operators in {len(groups)} groups",
    )
    ax.locator_params(axis="x", integer=True)
    return tidy(ax)
