"""Spikes as they come: animations in files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np

from nengo_dl.plots.axes import require_matplotlib
from nengo_dl.plots.classification import spikes_and_answer
from nengo_dl.plots.samples import given_samples, spike_raster
from nengo_dl.validation import positive_int, refused

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: file names end with one of these
_FORMATS = (".gif", ".html")


def animate_spikes(
    sim: Any,
    spikes: nengo.Probe,
    path: str | Path,
    output: nengo.Probe | None = None,
    item: int = 0,
    data: Mapping[nengo.Probe, Any] | None = None,
    n_frames: int = 50,
    fps: int = 10,
) -> Path:
    """Write an animation in which spikes appear one after the other.

    Parameters
    ----------
    sim : nengo_dl.Simulator or nengo.Simulator
        The simulator, open or closed.
    spikes : nengo.Probe
        A Probe of an Ensemble's ``neurons``, without a synapse.
    path : str or pathlib.Path
        File to write. It ends with ``.gif``, or with ``.html`` for a self-contained
        page with buttons to play and stop.
    output : nengo.Probe, optional
        Outputs of a classifier to draw below the spikes; see `spikes_and_answer`.
    item : int, optional
        Index of the item in the minibatch.
    data : mapping of nengo.Probe to array_like, optional
        Samples to draw instead of ``sim.data``, such as the result of ``sim.predict``.
    n_frames : int, optional
        Number of frames.
    fps : int, optional
        Frames per second.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Raises
    ------
    ValidationError
        If a Probe is not in the network, has recorded nothing or has no such item, or
        the file's name ends differently.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import tempfile, nengo, nengo_dl
    >>> from pathlib import Path
    >>> with nengo.Network(seed=0) as net:
    ...     spikes = nengo.Probe(nengo.Ensemble(20, 1).neurons)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     sim.run(0.1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "spikes.gif"
    ...     nengo_dl.plots.animate_spikes(sim, spikes, path, n_frames=2).name
    'spikes.gif'
    """
    if not isinstance(path, str | Path) or Path(path).suffix not in _FORMATS:
        raise refused(path, "path", "a file whose name ends with .gif or .html")
    n_frames = positive_int(n_frames, "n_frames")
    fps = positive_int(fps, "fps")
    require_matplotlib()
    from matplotlib.animation import FuncAnimation, HTMLWriter, PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # not pyplot's: nothing is shown, and nothing is left open
    n_rows = 1 if output is None else 2
    figure = Figure(figsize=(7.0, 1.0 + 2.0 * n_rows), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(n_rows, squeeze=False)[:, 0]
    if output is None:
        given = given_samples(data).get(spikes)
        spike_raster(sim, spikes, item, given, ax=rows[0])
    else:
        spikes_and_answer(sim, spikes, output, item, data, axs=list(rows))
        rows[0].set_title("", loc="left")  # it tells the end
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # would be computed for each picture
    animation = FuncAnimation(figure, _Frames(figure, n_frames), n_frames, blit=False)
    writer: Any = PillowWriter(fps)
    if Path(path).suffix == ".html":
        writer = HTMLWriter(fps, embed_frames=True)
    animation.save(str(path), writer=writer)
    return Path(path)


class _Frames:
    """Shows lines of a figure up to a moment, which moves with each frame."""

    def __init__(self, figure: Figure, n_frames: int) -> None:
        self.lines = [
            (line, np.array(line.get_xdata()), np.array(line.get_ydata()))
            for ax in figure.axes
            for line in ax.lines
        ]
        start, stop = figure.axes[0].get_xlim()
        for ax in figure.axes:  # the same in all pictures
            ax.set(xlim=(start, stop), ylim=ax.get_ylim())
        # the last picture has everything
        self.moments = np.linspace(start, stop, n_frames + 1)[1:]
        self.cursors = [ax.axvline(start, color="C3") for ax in figure.axes]

    def __call__(self, frame: int) -> list[Any]:
        """Show what there is until a frame's moment."""
        now = self.moments[frame]
        for line, times, values in self.lines:
            seen = times <= now
            line.set_data(times[seen], values[seen])
        for cursor in self.cursors:
            cursor.set_xdata([now, now])
        return [line for line, _, _ in self.lines] + self.cursors
