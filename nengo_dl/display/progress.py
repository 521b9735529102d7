"""Progress of what takes long, shown where it is read: terminal, notebook, log file."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nengo.utils.progress as nengo_progress

from nengo_dl.display.progress_screens import Log, Screen, find_screen
from nengo_dl.validation import flag

#: time (s) between two looks at the clock while nothing is reported
BEAT = 1.0


class Tracker:
    """Receives the progress of one stage and shows nothing."""

    def update(self, done: int, **shown: Any) -> None:
        """Say that ``done`` units of work are complete, and how well they went."""


class _Shown(Tracker):
    """Shows the progress of one stage in words, on a `Screen`.

    Parameters
    ----------
    screen : Screen
        Where to.
    name : str
        What is being done.
    total : int or None
        Units of work; None if nobody knows.
    waits : str
        What is done before the first unit.
    """

    def __init__(self, screen: Screen, name: str, total: int | None, waits: str):
        self._screen = screen
        self._name = name
        self._total = total
        self._waits = waits
        self._start = time.monotonic()
        self._done = 0
        self._first: tuple[float, int] | None = None
        self._values = ""
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._show()
        if total is None:
            # a single object may take minutes, for which the time would stand still
            threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            with self._lock:
                if not self._over.is_set():
                    self._show()

    def update(self, done: int, **shown: Any) -> None:
        with self._lock:
            self._done = done
            self._values = "".join(f", {k} {value:#.4g}" for k, value in shown.items())
            if self._first is None:
                # the first call may compile, which says nothing about the others
                self._first = time.monotonic(), done
            self._show()

    def _show(self) -> None:
        now = time.monotonic()
        passed = now - self._start
        part = None
        if self._total is None:
            words = duration(passed)
        else:
            part = self._done / self._total
            words = self._left(now) if self._done else self._waits
        self._screen.show(self._name, part, words + self._values, passed)

    def _left(self, now: float) -> str:
        assert self._first is not None and self._total is not None
        since, before = self._first
        if self._done == before or self._done == self._total:
            return duration(now - self._start)
        left = (now - since) / (self._done - before) * (self._total - self._done)
        return f"{duration(left)} left"

    def end(self, failed: bool) -> None:
        """Say how long it has taken, if it was long enough to be shown."""
        passed = time.monotonic() - self._start
        if not failed:
            words = f"{self._name} done in {duration(passed)}{self._values}"
        else:
            words = f"{self._name} stopped after {duration(passed)}"
            if self._total is not None:
                words += f", at {self._done / self._total:.0%}"
        self._over.set()
        with self._lock:
            self._screen.end(self._name, words, passed)


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


def duration(seconds: float) -> str:
    """Return a length of time in words: ``3 s``, ``2 min 05 s``, ``1 h 30 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def keras_verbosity(progress_bar: Any) -> int | str:
    """Return Keras' `verbose` for users who have not given one.

    Parameters
    ----------
    progress_bar : bool or nengo.utils.progress.ProgressBar
        What the simulator was told.

    Returns
    -------
    int or str
        0: nothing; 2: one line for each epoch, for log files, in which Keras' bars
        would be pages of control characters; ``"auto"``: what Keras does.
    """
    if not progress_bar:
        return 0
    return 2 if isinstance(find_screen(), Log) else "auto"


def shown_by(progress_bar: Any) -> Any:
    """Return whether to show progress, or a bar of Nengo's to show it with.

    Parameters
    ----------
    progress_bar : bool, nengo.utils.progress.ProgressBar or None
        As users give it; None: no progress.

    Raises
    ------
    ValidationError
        If it is anything else.
    """
    if progress_bar is None or isinstance(progress_bar, nengo_progress.ProgressBar):
        return progress_bar
    expected = "True, False, None or an instance of nengo.utils.progress.ProgressBar"
    return flag(progress_bar, "progress_bar", expected)


@contextmanager
def stage(
    name: str, total: int | None, progress_bar: Any, waits: str = "starting"
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
    waits : str
        What is done before the first unit of work: ``"compiling"``.

    Yields
    ------
    Tracker
        To be told how much is done, and of numbers such as a loss. What is shown
        changes a few times a second at most, so it costs less than can be measured.
    """
    if isinstance(progress_bar, nengo_progress.ProgressBar):
        progress = nengo_progress.Progress(name, name, total)
        with nengo_progress.ProgressTracker(progress_bar, progress):
            yield _NengoBar(progress)
        return
    if not progress_bar:
        yield Tracker()
        return
    shown = _Shown(find_screen(), name, total, waits)
    try:
        yield shown
    except BaseException:
        shown.end(failed=True)
        raise
    shown.end(failed=False)
