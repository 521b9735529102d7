"""Measurements as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nengo_dl.benchmarks.converted_accuracy import OfSeeds
from nengo_dl.benchmarks.measure import Measurement
from nengo_dl.benchmarks.records import Record
from nengo_dl.plots.axes import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: parts of the time until the end of the first run, as the simulator names them
STAGES = ("nengo build", "plan", "trace", "compile")
#: pictures of networks in a row, and the time step of all networks (s)
_COLUMNS, DT = 3, 0.001
#: room for curves of accuracy, in rows of the other parts
_CONVERSION_ROWS = 7
OURS, NENGO, GREY = "#d95f02", "#7570b3", "#999999"


def draw(record: Record, path: str | Path) -> None:
    """Draw networks that ran, were trained, or were converted, into a file.

    Parameters
    ----------
    record : Record
        What was measured.
    path : str or Path
        The file; its ending says in which format.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    require_matplotlib()
    # not pyplot: nothing here is shown in a window
    from matplotlib.figure import Figure

    rows = [len(found) + 1 for found in (record.networks, record.training) if found]
    rows += [_CONVERSION_ROWS] if record.conversions else []
    figure = Figure(figsize=(11, 1.5 + 0.42 * sum(rows)), layout="constrained")
    parts = iter(
        figure.subfigures(len(rows), 1, squeeze=False, height_ratios=rows).flat
    )
    if record.networks:
        found = list(record.networks.values())[::-1]
        speed, start = next(parts).subplots(1, 2, sharey=True)
        _speeds(speed, found)
        _starts(start, found)
    if record.training:
        _training(next(parts).subplots(), record)
    if record.conversions:
        axes = next(parts).subplots(1, len(record.conversions), squeeze=False)[0]
        for ax, (name, runs) in zip(axes, record.conversions.items(), strict=True):
            _conversion(ax, name, OfSeeds.by_rate(runs))
    figure.savefig(path, dpi=110)


def draw_totals(record: Record, path: str | Path) -> None:
    """Draw how long build and run take together, over the time that is simulated.

    Nothing is measured for it: a simulation takes the time of the build and the first
    run, and what further steps take in steady state.

    Parameters
    ----------
    record : Record
        What was measured.
    path : str or Path
        The file; its ending says in which format.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    found = [one for one in record.networks.values() if one.items == 1]
    n_rows = -(-len(found) // _COLUMNS)
    figure = Figure(figsize=(11, 2.6 * max(n_rows, 1)), layout="constrained")
    axes = figure.subplots(
        max(n_rows, 1), _COLUMNS, sharex=True, sharey=True, squeeze=False
    )
    for ax, one in zip(axes.flat, found, strict=False):
        first = one.n_steps * DT
        simulated = np.geomspace(first, 100 * first, 100)
        more = simulated / first - 1
        nengo = one.nengo_start + more * one.nengo_run
        ours = one.start + more * one.run
        ax.plot(simulated, nengo, color=NENGO, label="nengo.Simulator")
        ax.plot(simulated, ours, color=OURS, label="nengo_dl.Simulator")
        ax.set(xscale="log", yscale="log", title=one.name)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.tick_params(labelbottom=True, labelleft=True)
        ax.minorticks_off()
        if np.any(ours < nengo):
            ax.axvline(simulated[np.argmax(ours < nengo)], color=GREY, ls=":")
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes.flat[len(found) :]:
        ax.remove()
    figure.supxlabel("simulated time (s)", fontsize=10)
    figure.supylabel("build and run (s)", fontsize=10)
    if found:
        axes.flat[0].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)


def _speeds(ax: Axes, networks: list[Measurement]) -> None:
    """Draw runs in steady state, and their floors, beside Nengo's."""
    y = np.arange(len(networks))
    per_step = 1e6 / np.array([found.n_steps for found in networks])
    nengo = per_step * [found.nengo_run * found.items for found in networks]
    ours = per_step * [found.run for found in networks]
    floors = per_step * [found.floor for found in networks]
    ax.barh(y + 0.2, nengo, 0.36, color=NENGO, label="nengo.Simulator")
    ax.barh(y - 0.2, ours, 0.36, color=OURS, label="nengo_dl.Simulator")
    ax.plot(floors, y - 0.2, "k|", markersize=9, label="floor of the hardware")
    for position, found, value in zip(y, networks, ours, strict=True):
        text = f" {found.ratio:.1f} times as fast"
        ax.text(value, position - 0.2, text, va="center", fontsize=8)
    ax.set_xscale("log")
    ax.set_xlim(right=4 * max(*nengo, *ours))
    ax.set_xlabel("time of a step, all items of a minibatch (µs)")
    ax.set_yticks(y, [found.name for found in networks])
    _finish(ax)


def _starts(ax: Axes, networks: list[Measurement]) -> None:
    """Draw the parts of the time until the end of the first run, beside Nengo's."""
    y = np.arange(len(networks))
    ax.barh(
        y + 0.2,
        [found.nengo_start / found.nengo_start for found in networks],
        0.36,
        color=NENGO,
        label="nengo.Simulator",
    )
    left = np.zeros(len(networks))
    shades = np.linspace(0.35, 1, len(STAGES))
    for stage, shade in zip(STAGES, shades, strict=True):
        parts = np.array(
            [found.stages.get(stage, 0) / found.nengo_start for found in networks]
        )
        ax.barh(y - 0.2, parts, 0.36, left, color=OURS, alpha=shade, label=stage)
        left += parts
    whole = np.array([found.start_ratio for found in networks])
    rest = np.maximum(whole - left, 0)
    ax.barh(y - 0.2, rest, 0.36, left, color=GREY, label="first run, and others")
    for position, found in zip(y, networks, strict=True):
        text = f" {found.start:.2g} s"
        ax.text(found.start_ratio, position - 0.2, text, va="center", fontsize=8)
    ax.set_xlim(right=1.15 * max(1, whole.max()))
    ax.set_xlabel("build and first run, Nengo's is 1")
    _finish(ax)


def _training(ax: Axes, record: Record) -> None:
    """Draw steps of optimization beside code that is written by hand."""
    found = list(record.training.values())[::-1]
    y = np.arange(len(found))
    ours = [1e3 * one.step for one in found]
    by_hand = [1e3 * one.by_hand for one in found]
    ax.barh(y + 0.2, by_hand, 0.36, color=NENGO, label="TensorFlow, by hand")
    ax.barh(y - 0.2, ours, 0.36, color=OURS, label="nengo_dl.Simulator")
    for position, one, value in zip(y, found, ours, strict=True):
        text = f" {one.ratio:.2f} times as long"
        ax.text(value, position - 0.2, text, va="center", fontsize=8)
    ax.set_yticks(y, list(record.training)[::-1])
    ax.set_xlim(right=1.2 * max(*ours, *by_hand))
    ax.set_xlabel("step of optimization (ms)")
    _finish(ax)


def _conversion(ax: Axes, name: str, by_rate: dict[float, OfSeeds]) -> None:
    """Draw accuracy over time steps, a line for each firing rate; and Keras' own."""
    shades = np.linspace(0.35, 1, len(by_rate))
    for shade, (rate, found) in zip(shades, by_rate.items(), strict=True):
        means, spreads = np.array([found.spikes(n) for n in found.steps]).T
        ax.fill_between(
            found.steps, means - spreads, means + spreads, color=OURS, alpha=0.12, lw=0
        )
        label = f"{rate:g} Hz"
        ax.plot(found.steps, means, ".-", color=OURS, alpha=shade, label=label)
    mean, _ = found.keras
    ax.axhline(mean, color=NENGO, ls=":", label="Keras")
    ax.set(xscale="log", xlabel="time steps of 1 ms", ylim=(0, 1))
    ax.set(title=name, ylabel="accuracy")
    ax.set_xticks(found.steps, [str(n) for n in found.steps])
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(title="highest rate", loc="lower right", fontsize=8, frameon=False)


def _finish(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=3,
        fontsize=8,
        frameon=False,
    )
