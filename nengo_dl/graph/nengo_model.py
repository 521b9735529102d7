"""Build a Nengo network into a Nengo Model, with Nengo's own builder."""

from __future__ import annotations

from typing import Any

import nengo
from nengo.builder import Model
from nengo.cache import get_default_decoder_cache
from nengo.exceptions import ValidationError

from nengo_dl.user_code import warn_user
from nengo_dl.validation import real_number


def build(
    network: nengo.Network | None,
    dt: float = 0.001,
    model: Model | None = None,
    progress: Any = None,
) -> Model:
    """Build ``network``, into ``model`` if one is given.

    Parameters
    ----------
    network : nengo.Network or None
        The network to be built; None if ``model`` is already complete.
    dt : float
        Length of a time step (s). Ignored, with a warning, where ``model`` has another.
    model : nengo.builder.Model, optional
        A prebuilt model, or one that ``network`` shall be built into.
    progress : nengo.utils.progress.Progress, optional
        Told about each object that is built.

    Returns
    -------
    nengo.builder.Model
        The built model.

    Raises
    ------
    ValidationError
        If there is neither a network nor a model, or ``dt`` is not positive.

    Notes
    -----
    Nengo builds at the precision of ``nengo.rc`` (64 bits unless the user changed it),
    whatever precision the simulation will have: then decoders are the very numbers that
    ``nengo.Simulator`` uses, and both share one decoder cache. Values are cast when
    they enter the simulation.
    """
    if network is not None and not isinstance(network, nengo.Network):
        raise ValidationError(
            f"Expected a nengo.Network or None, got {network!r}", attr="network"
        )
    if model is not None and not isinstance(model, Model):
        raise ValidationError(
            f"Expected a nengo.builder.Model or None, got {model!r:.100}", attr="model"
        )
    seconds = None if isinstance(dt, bool) else real_number(dt)
    if seconds is None or seconds <= 0:
        raise ValidationError(
            f"Must be positive: expected a number of seconds, got {dt!r:.100}",
            attr="dt",
        )
    if model is None:
        if network is None:
            raise ValidationError(
                "Expected a network, or a built model through `model=`; got neither",
                attr="network",
            )
        model = Model(
            dt=seconds,
            label=f"{network}, dt={seconds:f}",
            decoder_cache=get_default_decoder_cache(),
        )
    elif seconds != model.dt:
        warn_user(
            f"The model was built with dt={model.dt:g} s, so dt={seconds:g} s is "
            "ignored. Build a new model to change the time step."
        )
    if network is not None:
        model.build(network, progress=progress)
    return model
