"""Ways to show progress, and how often: in a terminal, a notebook, a log file."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import import_module
from typing import Any, TextIO

import progressbar

#: what has taken less time (s) than this leaves no line behind in a terminal
BRIEF = 0.5

#: least time (s) between two changes of what is shown in place
REFRESH = 0.1

#: least time (s) between two lines of a log file, and of one stage before the first
LOG_EVERY = 10.0

#: a log file that gets no nearer to the end has a line after this time (s) at least
LOG_STUCK = 60.0


class Screen:
    """Shows one stage after the other; this one shows nothing."""

    def show(self, name: str, part: float | None, words: str, passed: float) -> None:
        """Show how far a stage is.

        Parameters
        ----------
        name : str
            The stage.
        part : float or None
            How much of it is done, from 0 to 1, if that is known.
        words : str
            What else there is to say.
        passed : float
            How long it has taken so far (s).
        """

    def end(self, name: str, words: str, passed: float) -> None:
        """Show that a stage is over; ``words`` say it all."""


class Terminal(Screen):
    """One line that changes in place, and stays if the stage was not brief.

    Parameters
    ----------
    stream : file
        Where the terminal is.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown_at = -REFRESH
        self._bar: progressbar.ProgressBar | None = None
        self._words = progressbar.FormatCustomText("%(words)s", {"words": ""})

    def show(self, name: str, part: float | None, words: str, passed: float) -> None:
        """Show a bar; see `Screen.show`."""
        if passed - self._shown_at >= REFRESH or part == 1:
            self._shown_at = passed
            self._words.update_mapping(words=words)
            if self._bar is None:
                self._bar = self._begin(name, part is not None)
            self._bar.update(0.0 if part is None else part, force=True)

    def end(self, name: str, words: str, passed: float) -> None:
        """Leave one line behind, or none."""
        width = self._width()
        if self._bar is not None:
            self._bar.finish(end="\r", dirty=True)
        self._stream.write(" " * width + "\r")
        if passed >= BRIEF:
            self._stream.write(f"{words[:width]}\n")
        self._stream.flush()

    def _begin(self, name: str, measured: bool) -> progressbar.ProgressBar:
        measure = [progressbar.Percentage(), " ", progressbar.Bar("#", "[", "]")]
        return progressbar.ProgressBar(
            max_value=1.0 if measured else progressbar.UnknownLength,
            widgets=[name, " ", *(measure if measured else ["..."]), " ", self._words],
            fd=self._stream,
            is_terminal=True,
            enable_colors=False,
            # with a width of its own it leaves the signals of the terminal alone
            term_width=self._width(),
        )

    @staticmethod
    def _width() -> int:
        # the last column would begin a new line in some terminals
        return shutil.get_terminal_size().columns - 1


class Notebook(Screen):
    """One line below the cell that changes in place, for all stages in their order.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        What runs the cells.
    """

    #: the line of the latest cell: its number, its handle and what it says
    _line: tuple[Any, Any, dict[str, str]] | None = None

    def __init__(self, shell: Any) -> None:
        self._cell = shell.execution_count
        self._shown_at = -REFRESH

    def show(self, name: str, part: float | None, words: str, passed: float) -> None:
        """Show a bar; see `Screen.show`."""
        if passed - self._shown_at >= REFRESH or part == 1:
            self._shown_at = passed
            self._write(name, in_line(name, part, words))

    def end(self, name: str, words: str, passed: float) -> None:
        """Leave how long it has taken."""
        self._write(name, words)

    def _write(self, name: str, text: str) -> None:
        display = import_module("IPython.display").display
        line = Notebook._line
        if line is None or line[0] != self._cell:
            texts = {name: text}
            handle = display({"text/plain": text}, raw=True, display_id=True)
            Notebook._line = self._cell, handle, texts
            return
        _, handle, texts = line
        # a stage that comes again, such as training in a loop, takes its own place
        texts[name] = text
        handle.update({"text/plain": "; ".join(texts.values())}, raw=True)


class Log(Screen):
    """Few whole lines; none for what takes less than ten seconds.

    Parameters
    ----------
    stream : file
        The log file.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._wrote_at = 0.0
        self._wrote_part = 0.0
        self._wrote = False

    def show(self, name: str, part: float | None, words: str, passed: float) -> None:
        """Write a line, if there is something new to say; see `Screen.show`."""
        waited = passed - self._wrote_at
        ahead = part is None or part - self._wrote_part >= 0.1
        if waited >= LOG_STUCK or (waited >= LOG_EVERY and ahead):
            percent = "" if part is None else f" {part:.0%},"
            self._write(f"{name}:{percent} {words}")
            self._wrote_at, self._wrote_part = passed, part or 0.0

    def end(self, name: str, words: str, passed: float) -> None:
        """Write the last line, if it is not the only one."""
        if self._wrote or passed >= LOG_EVERY:
            self._write(words)

    def _write(self, line: str) -> None:
        self._wrote = True
        self._stream.write(f"{line}\n")
        self._stream.flush()


def in_line(name: str, part: float | None, words: str) -> str:
    """Return a stage in one line, with a bar if it is known how much is done."""
    if part is None:
        return f"{name}, {words}"
    return f"{name} {part:4.0%} [{'#' * int(25 * part):25}] {words}"


def find_screen() -> Screen:
    """Return the way to show progress here: terminal, notebook or log file."""
    shell = _shell()
    if getattr(shell, "kernel", None) is not None:
        return Notebook(shell)
    stream = sys.stderr
    if stream is None:  # a program without a console
        return Screen()
    try:
        terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # replaced, or closed
        return Screen()
    return Terminal(stream) if terminal else Log(stream)


def _shell() -> Any:
    """Return IPython's shell, if this runs in one."""
    if "IPython" not in sys.modules:
        return None
    return import_module("IPython").get_ipython()
