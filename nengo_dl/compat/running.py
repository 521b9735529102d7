"""Arguments of ``run``, ``run_steps`` and ``step`` as earlier releases had them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nengo.exceptions import ValidationError
from nengo.utils.progress import ProgressBar

from nengo_dl.compat.deprecation import deprecated
from nengo_dl.user_code import warn_user
from nengo_dl.validation import is_flag, path_name

#: where traces go if no directory is named
PROFILE_DIRECTORY = "nengo_dl_profile"


def run_arguments(
    data: Any, progress_bar: Any, positional: Sequence[Any], older: dict[str, Any]
) -> tuple[Any, Any]:
    """Return ``data`` and ``progress_bar`` of a run.

    Parameters
    ----------
    data : dict, sequence, array, bool or None
        The data; Nengo has the progress bar in this place.
    progress_bar : bool or nengo.utils.progress.ProgressBar
        As given by name.
    positional : sequence
        What was given by position behind the data: in 2.x ``input_feeds``.
    older : dict
        What was given by older names: ``input_feeds``, ``extra_feeds``.

    Raises
    ------
    ValidationError
        If data are given twice, or something is asked for that has no meaning today.
    TypeError
        If an argument is not known or could be several things.
    """
    unknown = set(older) - {"input_feeds", "extra_feeds"}
    if unknown:
        raise TypeError(f"Unknown argument(s): {', '.join(sorted(unknown))}")
    if isinstance(data, bool | ProgressBar):
        if progress_bar is not None and progress_bar is not False:
            raise TypeError("Got two values for 'progress_bar'")
        data, progress_bar = None, data
    if positional:
        feeds, *rest = positional
        if rest or not isinstance(feeds, Mapping) or "input_feeds" in older:
            raise TypeError(
                f"Cannot tell what the positional argument {positional[-1]!r} stands "
                "for; give all arguments behind `data` by name"
            )
        older = {**older, "input_feeds": feeds}
    feeds = older.get("input_feeds")
    if feeds is not None:
        if data is not None:
            raise ValidationError(
                "`data` and `input_feeds` are the same argument; give `data` only",
                attr="data",
            )
        deprecated("input_feeds=...", "data=...")
        data = feeds
    if older.get("extra_feeds"):
        raise ValidationError(
            "There is no TensorFlow session that values could be fed to; present the "
            "output of Nodes with `data={node: array}`",
            attr="extra_feeds",
        )
    return data, progress_bar


def reset_arguments(include_trainable: bool, include_probes: bool) -> dict[str, bool]:
    """Return the arguments of ``reset`` that do what ``soft_reset`` did.

    Parameters
    ----------
    include_trainable, include_probes : bool
        As they were given to ``soft_reset``.
    """
    deprecated(
        "soft_reset",
        f"reset(include_trainable={include_trainable}, "
        f"include_probes={include_probes}, include_processes=False)",
    )
    return {
        "include_trainable": include_trainable,
        "include_probes": include_probes,
        "include_processes": False,
    }


def sample_period(sample_every: float | None, dt: float | None) -> float | None:
    """Return the argument of ``trange``, which was called ``dt`` once.

    Parameters
    ----------
    sample_every, dt : float or None
        As they were given (s).

    Raises
    ------
    ValidationError
        If both were given.
    """
    if dt is None:
        return sample_every
    if sample_every is not None:
        raise ValidationError(
            "`dt` is an older name of `sample_every`; give `sample_every` only",
            attr="dt",
        )
    deprecated("trange(dt=...)", "trange(sample_every=...)")
    return dt


def profile_directory(profile: Any) -> str | None:
    """Return the directory that a trace of TensorFlow's profiler goes to.

    Parameters
    ----------
    profile : bool, str, os.PathLike, dict or None
        A directory, or a file that ends in ``.json``; True for the default; earlier
        releases also took options of a profiler that is gone.

    Returns
    -------
    str or None
        None if nothing is to be profiled.

    Raises
    ------
    ValidationError
        If it is nothing of this kind.
    """
    if profile is None or (is_flag(profile) and not profile):
        return None
    if isinstance(profile, Mapping):
        warn_user(
            "Options for the profiler have no meaning any more, so "
            f"{dict(profile)!r} is ignored; give profile=True, or a directory",
            DeprecationWarning,
        )
        return PROFILE_DIRECTORY
    if is_flag(profile):
        return PROFILE_DIRECTORY
    return path_name(profile, "profile", "True, False or the name of a directory")
