"""Interrupts by the user that come when compiled code has just called Python.

Python runs handlers of signals before the first statement of a function. In one that
compiled code calls, nothing can catch what they raise, ``KeyboardInterrupt`` as a rule:
`ctypes` prints it and goes on, so that a simulation could not be interrupted, and the
result of that call would be whatever was in memory.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

#: called with what was raised and with the object whose method was called
Keep = Callable[[BaseException, Any], None]

_SIGNALS = tuple(
    number
    for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGBREAK")
    if (number := getattr(signal, name, None)) is not None
)


class _Kept:
    """What takes the place of a signal's handler for a while."""

    def __init__(self, own: Callable[..., Any], code: Collection[CodeType], keep: Keep):
        self._own, self._code, self._keep = own, code, keep

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if frame is None or frame.f_code not in self._code:
            self._own(number, frame)
            return
        try:
            self._own(number, frame)
        except BaseException as error:
            self._keep(error, frame.f_locals["self"])


@contextmanager
def kept(code: Collection[CodeType], keep: Keep) -> Iterator[None]:
    """Keep what handlers of signals raise in some methods, which then go on.

    For a loop over many steps. It takes some 10 us.

    Parameters
    ----------
    code : collection of code
        The code of the methods.
    keep : callable
        Called with what was raised, and with the object whose method it is.
    """
    if not _in_main_thread():
        yield
        return
    own: dict[int, Callable[..., Any]] = {}
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler) and not isinstance(handler, _Kept):
            own[number] = handler
            signal.signal(number, _Kept(handler, code, keep))
    try:
        yield
    finally:
        for number, handler in own.items():
            # a function may have set another one meanwhile
            if isinstance(signal.getsignal(number), _Kept):
                signal.signal(number, handler)


def _in_main_thread() -> bool:
    """Return whether this is the thread in which Python runs handlers of signals."""
    return threading.current_thread() is threading.main_thread()


class Dropped:
    """Context in which what `ctypes` drops is kept; the call has not taken place then.

    For a single step, of which it takes a hundredth.

    Parameters
    ----------
    keep : callable
        As in `kept`.
    methods_of : type
        The class of the objects.
    """

    def __init__(self, keep: Keep, methods_of: type) -> None:
        self._keep, self._type = keep, methods_of
        self._before: Callable[..., Any] | None = None

    def _hook(self, dropped: sys.UnraisableHookArgs) -> None:
        # from Python 3.13 on `dropped.object` is None; the method's frame is the first
        traceback = dropped.exc_traceback
        owner = traceback and traceback.tb_frame.f_locals.get("self")
        if isinstance(owner, self._type) and dropped.exc_value is not None:
            self._keep(dropped.exc_value, owner)
        elif self._before is not None:
            self._before(dropped)

    def __enter__(self) -> None:
        # the hook is that of all threads, which do not leave it in turn
        if _in_main_thread():
            self._before, sys.unraisablehook = sys.unraisablehook, self._hook

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            sys.unraisablehook = self._before
