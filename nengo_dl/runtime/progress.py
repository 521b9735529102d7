"""Progress bars in a terminal or a notebook; silence everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import nengo.utils.progress as nengo_progress
import progressbar


def interactive() -> bool:
    """Return whether somebody is watching: a terminal, or a Jupyter kernel."""
    if "ipykernel" in sys.modules:
        return True
    return bool(getattr(sys.stderr, "isatty", lambda: False)())


class Tracker:
    """Receives the progress of one stage and shows nothing."""

    def update(self, done: int, **shown: Any) -> None:
        """Say that ``done`` units of work are complete, and how well they went."""


class _Bar(Tracker):
    """Shows a progressbar2 bar."""

    def __init__(self, bar: progressbar.ProgressBar) -> None:
        self._bar = bar

    def update(self, done: int, **shown: Any) -> None:
        self._bar.update(done, **shown)


class _NengoBar(Tracker):
    """Passes progress on to a progress bar of Nengo's."""

    def __init__(self, progress: nengo_progress.Progress) -> None:
        self._progress = progress
        self._done = 0

    def update(self, done: int, **shown: Any) -> None:
        self._progress.step(done - self._done)
        self._done = done


class Steps(nengo_progress.Progress):
    """Passes on what Nengo's builder reports, one step for each object."""

    def __init__(self, tracker: Tracker) -> None:
        super().__init__("Building", "Build")
        self._tracker = tracker

    def step(self, n: int = 1) -> None:
        """Say that ``n`` more objects are built."""
        super().step(n)
        self._tracker.update(self.n_steps)


@contextmanager
def stage(
    name: str, total: int | None, progress_bar: Any, shows: Sequence[str] = ()
) -> Iterator[Tracker]:
    """Show the progress of one stage of work.

    Parameters
    ----------
    name : str
        What is being done: ``"Simulating"``.
    total : int or None
        Units of work; None if nobody knows.
    progress_bar : bool or nengo.utils.progress.ProgressBar
        Whether to show it, or one of Nengo's own bars to show it with.
    shows : sequence of str
        Names of numbers that will be shown beside the bar.

    Yields
    ------
    Tracker
        To be told how much is done. Called a few times a second at most, so it costs
        less than can be measured.
    """
    if isinstance(progress_bar, nengo_progress.ProgressBar):
        progress = nengo_progress.Progress(name, name, total)
        with nengo_progress.ProgressTracker(progress_bar, progress):
            yield _NengoBar(progress)
    elif not progress_bar or not interactive():
        yield Tracker()
    else:
        if total is None:
            widgets = [
                name,
                " ",
                progressbar.AnimatedMarker(),
                " ",
                progressbar.Timer(),
            ]
            limit: Any = progressbar.UnknownLength
        else:
            widgets = [
                f"{name} ",
                progressbar.Percentage(),
                " ",
                progressbar.Bar(),
                " ",
                progressbar.ETA(),
                *(
                    widget
                    for label in shows
                    for widget in (" ", progressbar.Variable(label, precision=4))
                ),
            ]
            limit = total
        with progressbar.ProgressBar(
            max_value=limit,
            widgets=widgets,
            # notebooks show what goes to stderr on a red ground
            fd=sys.stdout if "ipykernel" in sys.modules else sys.stderr,
            is_terminal=True,
            enable_colors=False,
        ) as bar:
            bar.update(0)
            yield _Bar(bar)
