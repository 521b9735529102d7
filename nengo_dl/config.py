"""Settings that users attach to a network with `configure_settings`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ConfigError, NetworkContextError, ValidationError
from nengo.params import BoolParam, Parameter

from nengo_dl.graph.simplify import Rewrite, default_simplifications
from nengo_dl.graph.trainable import NAMES as TRAINABLE_NAMES
from nengo_dl.plan.greedy import greedy_planner
from nengo_dl.plan.groups import Planner
from nengo_dl.surrogates import Surrogate
from nengo_dl.surrogates import resolve as resolve_surrogate
from nengo_dl.validation import function_of, positive_number, refused, whole_number

_DTYPES = ("bfloat16", "float16", "float32", "float64")
_MIXED = ("bfloat16", "float16")


@dataclass(frozen=True)
class Settings:
    """All settings that apply to one Simulator.

    Attributes
    ----------
    dtype : str
        Floating point type of the simulation: ``"float32"``, for example.
    jit_compile : bool or None
        Whether XLA compiles the simulation; None leaves the choice to the program.
    planner : callable
        Decides which operators run as one.
    simplifications : sequence of callable
        Rewrites of the operator graph.
    inference_only : bool
        Whether nothing shall be trainable.
    nengo_random_draws : bool
        Whether all random numbers come from Nengo's own streams.
    lif_smoothing : float or None
        Width of the soft threshold that LIF neurons have in training.
    surrogate : Surrogate, "rate" or None
        Derivative of spikes in training; None: rates stand in for spikes.
    stateful : bool
        Whether the state of the simulation lasts from one call to the next.
    use_loop : bool
        Whether calls can run any number of steps, or just as many as are unrolled.
    learning_phase : bool or None
        Whether everything runs as in training, or as in inference; None: train as in
        training, everything else as in inference.
    rematerialisation : bool, int or None
        Whether training keeps the state of each time step, or computes most again.
    mixed_precision : str or None
        Floating point type of products of matrices in training; None: ``dtype``.
    network : nengo.Network or None
        Where settings of single objects are looked up.
    """

    dtype: str = "float32"
    jit_compile: bool | None = None
    planner: Planner = greedy_planner
    simplifications: Sequence[Rewrite] = default_simplifications
    inference_only: bool = False
    nengo_random_draws: bool = False
    lif_smoothing: float | None = None
    surrogate: Surrogate | str | None = None
    stateful: bool = True
    use_loop: bool = True
    learning_phase: bool | None = None
    rematerialisation: bool | int | None = None
    mixed_precision: str | None = None
    network: nengo.Network | None = None

    def keeps_history(self, probe: nengo.Probe) -> bool:
        """Return whether all samples of a probe are kept, or the last one only."""
        if self.network is None:
            return True
        for configured in (probe, nengo.Probe):
            try:
                value = self.network.config[configured].keep_history
            except (AttributeError, ConfigError, KeyError):
                continue
            if value is not None:
                # what is said of Probes is not said of those for other purposes
                return bool(value) or probe not in self.network.all_probes
        return True


def configure_settings(**settings: Any) -> None:
    """Set options of the network in whose ``with`` block it is called.

    Parameters
    ----------
    dtype : {"bfloat16", "float16", "float32", "float64"} or tf.DType
        Floating point type of the simulation (default float32).
    jit_compile : bool or None
        Whether XLA compiles the simulation. True and None: whatever can be compiled;
        False: nothing, which starts sooner and runs slower.
    planner : callable
        ``planner(graph, merge_key, runs_python) -> plan``: which operators run as one.
    simplifications : list of callable
        Rewrites of the operator graph; ``[]`` turns all of them off.
    inference_only : bool
        Nothing is trainable.
    nengo_random_draws : bool
        All random numbers are those that Nengo would draw. By default this holds but
        for ``nengo.PoissonSpiking``, which draws in TensorFlow numbers of the same
        distribution, because how many Nengo draws depends on the rates; with True it
        calls NumPy in every step, which is slower by far.
    lif_smoothing : float or None
        Train LIF neurons as `nengo_dl.SoftLIFRate` with this ``sigma``: the threshold
        of their rates becomes that wide, in units of current.
    surrogate : str, nengo_dl.surrogates.Surrogate, callable or None
        Train spiking neurons with their spikes, and with this derivative of a spike:
        ``"fast_sigmoid"``, ``"arctan"`` or another name, see
        `nengo_dl.surrogates.resolve`; an instance with parameters of its own; a
        function of the distance to the threshold; or ``"rate"``, the derivative of the
        firing rate. None: firing rates stand in for spikes.
    stateful : bool
        Whether the state of the simulation lasts from one call to the next (default).
        With False every call begins in the initial state.
    use_loop : bool
        Whether a call can run any number of steps (default). With False it runs
        ``unroll_simulation`` steps, neither more nor fewer, without a loop around them.
    learning_phase : bool or None
        True: everything runs as in training, with rates or surrogates; False:
        everything runs as it is simulated, with spikes, in training too. None: what
        trains does the one, everything else the other.
    rematerialisation : bool, int or None
        Whether training keeps the state of each time step for the way back (False), or
        that of every n-th step only, and computes those between again: the memory grows
        with the square root of the number of steps, for about a third more time. True:
        n is about that root; a number: n itself. None: as True where the states would
        take more than an eighth of the memory (default). Gradients differ in rounding.
    mixed_precision : {"bfloat16", "float16"} or None
        Train with products of matrices, and convolutions, of this type, which is fast
        on devices with units for it. Parameters, state and everything else stay as
        ``dtype`` says. With ``"float16"`` wrap the optimizer in
        `keras.optimizers.LossScaleOptimizer`, so that no gradient vanishes.
    keep_history : bool
        Whether probes keep all samples (default) or the last one only. Single probes
        are set through ``net.config[probe].keep_history``.
    trainable : bool, None or list of str
        Makes ``trainable`` a setting of Ensembles, Connections, Neurons and Networks
        and gives it a value for the network whose context is open; None leaves the
        choice to the defaults. Single objects and classes are set through
        ``net.config[obj].trainable``. A list names what trains, and nothing else does:
        ``"weights"`` (of Connections, and encoders), ``"encoders"``, ``"bias"``,
        ``"gain"``, ``"tau_rc"``, ``"tau_ref"``, ``"tau_n"``, ``"inc_n"`` of neurons,
        ``"tau"`` of linear synapses, ``"delay"`` of `nengo_dl.Delay`. Names that an
        object has not are skipped, unless the setting is its own.

    Warns
    -----
    DeprecationWarning
        If a setting of earlier releases has lost its meaning: ``session_config``,
        ``sorter``.

    Raises
    ------
    NetworkContextError
        If no network's context is open.
    ConfigError
        If a setting is not known.
    ValidationError
        If a value is not one that its setting can have.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network() as net:
    ...     nengo_dl.configure_settings(dtype="float64", jit_compile=False)
    """
    if not nengo.Network.context:
        raise NetworkContextError(
            "`configure_settings` has to be called within a network's context: "
            "`with net: nengo_dl.configure_settings(...)`"
        )
    unknown = sorted(set(settings) - set(_SETTERS) - set(_OBSOLETE))
    if unknown:
        raise ConfigError(
            f"Unknown setting {', '.join(map(repr, unknown))}; "
            f"known are {', '.join(sorted(_SETTERS))}"
        )
    for name in sorted(set(settings) & set(_OBSOLETE)):
        warnings.warn(
            f"The setting {name!r} has no meaning any more: {_OBSOLETE[name]}",
            DeprecationWarning,
            stacklevel=2,
        )
    for name, value in settings.items():
        if name not in _OBSOLETE:
            _SETTERS[name](name, value)


def configure_trainable(
    config: nengo.Config | nengo.Network, default: bool | None = None
) -> None:
    """Make ``trainable`` configurable; an older form of `configure_settings`.

    Parameters
    ----------
    config : nengo.Config or nengo.Network
        Where to.
    default : bool or None
        What is trained if nothing else is said; None leaves the choice to the defaults.

    Raises
    ------
    ValidationError
        If it is nothing that can be configured, or the default is not a bool or None.

    Warns
    -----
    DeprecationWarning
        Always: it shows the current form.

    Examples
    --------
    >>> nengo_dl.configure_trainable(net, default=False)  # doctest: +SKIP
    >>> with net:  # doctest: +SKIP
    ...     nengo_dl.configure_settings(trainable=False)
    """
    warnings.warn(
        "`configure_trainable(network)` is an older form; the current one is "
        "`with network: configure_settings(trainable=...)`",
        DeprecationWarning,
        stacklevel=2,
    )
    config = getattr(config, "config", config)
    if not isinstance(config, nengo.Config):
        raise ValidationError(
            f"Expected a nengo.Network or nengo.Config, got {config!r}", attr="config"
        )
    _make_trainable(config, default)


def resolve(network: nengo.Network | None, dtype: Any = None) -> Settings:
    """Return the settings of a network; an explicit ``dtype`` comes first."""
    found: dict[str, Any] = {}
    if network is not None:
        try:
            params = network.config[nengo.Network]
        except ConfigError:
            params = None
        for name in _GLOBAL:
            try:
                value = getattr(params, name)
            except AttributeError:
                continue
            if value is not None:
                found[name] = value
    if dtype is not None:
        found["dtype"] = dtype_name(dtype)
    return Settings(**found, network=network)


def dtype_name(dtype: Any) -> str:
    """Return the name of a floating point type that the simulator has.

    Raises
    ------
    ValidationError
        If it has no such type.
    """
    name = getattr(dtype, "name", dtype)
    is_number = isinstance(dtype, np.ndarray | np.generic)
    if not isinstance(name, str):
        try:
            # an array has a type too, but is none
            name = None if is_number else np.dtype(dtype).name
        except (TypeError, ValueError):
            name = None
    if name not in _DTYPES:
        raise ValidationError(
            f"Expected {', '.join(map(repr, _DTYPES))} or a tf.DType of such a name; "
            f"got {dtype!r:.100}",
            attr="dtype",
        )
    return str(name)


def _set_global(name: str, value: Any) -> None:
    """Store a setting of the whole simulation on the outermost network."""
    value = _CHECKS[name](value)
    params = _params(nengo.Network.context[0].config, nengo.Network)
    if name not in params.extra_params:
        params.set_param(name, Parameter(name, default=None, optional=True))
    setattr(params, name, value)


def _params(config: Any, cls: type) -> Any:
    """Return the settings of a class, which need not be configurable so far."""
    if cls not in config.params:
        # a second time would forget what is set
        config.configures(cls)
    return config[cls]


def _set_history(name: str, value: Any) -> None:
    config = nengo.Network.context[0].config
    _ensure(config, nengo.Probe, name)
    config[nengo.Probe].keep_history = _check_bool(name)(value)


def _set_trainable(name: str, value: Any) -> None:
    _make_trainable(nengo.Network.context[-1].config, value)


def _make_trainable(config: nengo.Config, value: Any) -> None:
    """Make `trainable` a setting, and give it a value.

    Neurons get none: they follow their ensemble, so that what is said of Ensembles
    later is said of encoders and biases.
    """
    for cls in (
        nengo.Ensemble,
        nengo.Connection,
        nengo.ensemble.Neurons,
        nengo.Network,
    ):
        _ensure(config, cls, "trainable", TrainableParam)
        config[cls].trainable = None if cls is nengo.ensemble.Neurons else value


def _ensure(config: Any, cls: type, name: str, kind: type = BoolParam) -> None:
    """Make ``name`` a setting of a class that may also be None."""
    params = _params(config, cls)
    if name not in params.extra_params:
        params.set_param(name, kind(name, default=None, optional=True))


class TrainableParam(BoolParam):
    """A setting that is True, False, None, or the names of what trains."""

    def coerce(self, instance: Any, value: Any) -> Any:
        """Return the value; names as a tuple.

        Parameters
        ----------
        instance : object
            Whose setting it is.
        value : object
            What the user gave.

        Raises
        ------
        ValidationError
            If it is something else, or a name that nothing has that could train.
        """
        if value is None or isinstance(value, bool | np.bool_):
            return super().coerce(instance, value)
        known = ", ".join(map(repr, TRAINABLE_NAMES))
        if not isinstance(value, list | tuple | set | frozenset):
            raise refused(
                value,
                "trainable",
                f'a bool, None or a list of names, ["weights"] (known: {known})',
            )
        unknown = [name for name in value if name not in TRAINABLE_NAMES]
        if unknown:
            raise ValidationError(
                f"{', '.join(map(repr, unknown))} cannot be trained. Expected names "
                f"among {known}",
                attr="trainable",
            )
        return tuple(dict.fromkeys(value))


def _check_bool(name: str) -> Callable[[Any], bool | None]:
    def check(value: Any) -> bool | None:
        if value is not None and not isinstance(value, bool):
            raise refused(value, name, "a bool or None")
        return value

    return check


def _check_planner(value: Any) -> Any:
    return function_of(
        value, "planner", "a callable `planner(graph, merge_key, runs_python)`", 3
    )


def _check_rewrites(value: Any) -> tuple:
    expected = "a list of callables `rewrite(facts)` that return operators"
    if not isinstance(value, list | tuple):
        raise refused(value, "simplifications", expected)
    return tuple(function_of(own, "simplifications", expected, 1) for own in value)


def _check_smoothing(value: Any) -> float | None:
    if value is None:
        return None
    return positive_number(value, "lif_smoothing", "a positive number or None")


def _check_rematerialisation(value: Any) -> bool | int | None:
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    expected = "a bool, a number of time steps of at least 1, or None"
    return whole_number(value, "rematerialisation", 1, expected)


def _check_mixed(value: Any) -> str | None:
    name = getattr(value, "name", value)
    if name is None or (isinstance(name, str) and name in _MIXED):
        return name
    raise refused(value, "mixed_precision", f"{', '.join(map(repr, _MIXED))} or None")


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "dtype": dtype_name,
    "jit_compile": _check_bool("jit_compile"),
    "planner": _check_planner,
    "simplifications": _check_rewrites,
    "inference_only": _check_bool("inference_only"),
    "lif_smoothing": _check_smoothing,
    "surrogate": resolve_surrogate,
    "nengo_random_draws": _check_bool("nengo_random_draws"),
    "stateful": _check_bool("stateful"),
    "use_loop": _check_bool("use_loop"),
    "learning_phase": _check_bool("learning_phase"),
    "rematerialisation": _check_rematerialisation,
    "mixed_precision": _check_mixed,
}
_GLOBAL = tuple(_CHECKS)
_SETTERS: dict[str, Callable[[str, Any], None]] = {
    **dict.fromkeys(_GLOBAL, _set_global),
    "keep_history": _set_history,
    "trainable": _set_trainable,
}
#: settings of earlier releases, and why they are gone
_OBSOLETE = {
    "session_config": (
        "TensorFlow has no sessions now. Devices and threads are set up by "
        "`tf.config`, with `tf.config.experimental.set_memory_growth`, for example"
    ),
    "sorter": (
        "memory is laid out in the order of the plan, without a search. The planner "
        "decides: `configure_settings(planner=...)`"
    ),
}
