"""The options of a simulator, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nengo_dl import config
from nengo_dl.display.progress import shown_by
from nengo_dl.inputs import checks
from nengo_dl.validation import flag, path_name, positive_int


@dataclass(frozen=True)
class Options:
    """The arguments of `nengo_dl.Simulator` behind its first four.

    Attributes
    ----------
    dtype : str or None
        Floating point type; None: as the network is configured.
    device : str or None
        TensorFlow's name of the device; None: TensorFlow chooses.
    unroll_simulation : int
        Steps in one iteration of the loop.
    minibatch_size : int or None
        Items that are simulated side by side; None: one, without a batch axis.
    tensorboard : str or None
        Directory for what TensorBoard shows.
    progress_bar : bool or nengo.utils.progress.ProgressBar
        Whether to show progress.
    optimize : bool
        An argument of Nengo's, without a meaning here.
    """

    dtype: str | None
    device: str | None
    unroll_simulation: int
    minibatch_size: int | None
    tensorboard: str | None
    progress_bar: Any
    optimize: bool


def checked(given: Mapping[str, Any]) -> Options:
    """Return options if each of them is one that it can be.

    Parameters
    ----------
    given : mapping of {str: object}
        All of them by name, as users gave them.

    Raises
    ------
    ValidationError
        If one cannot be that; the message says what it can be.
    """
    options = dict(given)
    if options["dtype"] is not None:
        options["dtype"] = config.dtype_name(options["dtype"])
    for name in ("unroll_simulation", "minibatch_size"):
        if name == "unroll_simulation" or options[name] is not None:
            options[name] = positive_int(options[name], name)
    options["device"] = checks.device_name(options["device"])
    options["progress_bar"] = shown_by(options["progress_bar"])
    options["optimize"] = flag(options["optimize"], "optimize")
    if options["tensorboard"] is not None:
        options["tensorboard"] = path_name(options["tensorboard"], "tensorboard")
    return Options(**options)
