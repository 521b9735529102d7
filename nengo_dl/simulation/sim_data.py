"""``sim.data``: what probes recorded, and the live parameters of built objects."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np
from nengo.builder.connection import BuiltConnection
from nengo.builder.ensemble import BuiltEnsemble
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError
from nengo.transforms import SparseMatrix

from nengo_dl.display.tables import first, html_table, in_short, text_table
from nengo_dl.graph.signals import coordinates, size
from nengo_dl.graph.trained_attributes import Logarithm, logarithms
from nengo_dl.simulation.built_records import About, recorded
from nengo_dl.simulation.raw_samples import RawData
from nengo_dl.user_code import warn_user
from nengo_dl.validation import UnknownKeyError, refused

if TYPE_CHECKING:
    from nengo.builder import Model

    from nengo_dl.simulation.probes import ProbeStore
    from nengo_dl.simulation.store import StateStore

#: a `repr` has no more Probes than this, and no more Ensembles and Connections
N_SHOWN = 20


class SimulationData(Mapping):
    """Map Nengo objects to their data.

    A Probe gives its samples; an Ensemble or Connection gives Nengo's own record of its
    parameters (`nengo.builder.ensemble.BuiltEnsemble`,
    `nengo.builder.connection.BuiltConnection`) with the values that they have now,
    after learning or training. All arrays are read-only.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    store : StateStore
        Live values.
    probes : ProbeStore
        Samples.
    minibatched : bool
        Whether what learning rules change has a batch axis in front: each item of the
        batch learns its own copy.
    trainable : mapping of {Signal: bool}, optional
        Which parameters an optimizer may change.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     ensemble = nengo.Ensemble(20, 1, label="a")
    ...     probe = nengo.Probe(ensemble)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     sim.run_steps(5)
    ...     print(sim.data[ensemble])
    BuiltEnsemble of <Ensemble 'a'>, current values
      eval_points      (750, 1)
      encoders         (20, 1)   trainable
      intercepts       (20,)
      max_rates        (20,)
      scaled_encoders  (20, 1)   trainable
      gain             (20,)
      bias             (20,)     trainable
    >>> sim.data[probe].shape
    (5, 1)
    """

    def __init__(
        self,
        model: Model,
        store: StateStore,
        probes: ProbeStore,
        minibatched: bool = False,
        trainable: Mapping[Signal, bool] | None = None,
    ) -> None:
        self._model = model
        self._trainable = {} if trainable is None else trainable
        self._minibatched = minibatched
        self._store: StateStore | None = store
        self._probes = probes
        #: what a learning rule changes, each item of the minibatch for itself
        self._learned = {
            signal
            for obj in model.params
            for signal in self._signals_of(obj)
            if store.batched(signal)
        }
        #: what has changed before the simulator was closed
        self._outdated: set[Any] = set()
        # as it was built: `freeze_params` changes Ensembles
        self._normalized = {
            obj: obj.normalize_encoders
            for obj in model.params
            if isinstance(obj, nengo.Ensemble)
        }

    def close(self) -> None:
        """Let go of the live values; from now on initial ones are returned."""
        if self._store is not None:
            self._outdated = {
                obj
                for obj in self._model.params
                if isinstance(obj, nengo.Ensemble | nengo.Connection)
                and not all(map(self._store.is_initial, self._signals_of(obj)))
            }
        self._store = None

    def _signals_of(self, obj: Any) -> list[Signal]:
        """Return the signals that have the parameters of an object."""
        return [signal for _, signal in self._named_signals(obj)]

    def _named_signals(self, obj: Any) -> list[tuple[str, Signal]]:
        """Return the parameters of an object by the attribute that shows them."""
        if not isinstance(obj, nengo.Ensemble | nengo.Connection):
            return []
        signals = self._model.sig
        found = [(key, signals[obj].get(key)) for key in ("encoders", "weights")]
        if isinstance(obj, nengo.Ensemble):
            found.append(("bias", signals[obj.neurons].get("bias")))
        found += logarithms(signals[_owner(obj)]).items()
        return [(key, signal) for key, signal in found if signal is not None]

    def samples(self) -> dict[nengo.Probe, np.ndarray]:
        """Return all samples, shape (n_samples, batch, *shape) each."""
        return self._probes.snapshot()

    def __getitem__(self, obj: Any) -> Any:
        try:
            if obj in self._probes:
                return self._probes.data(obj)
            built = self._model.params[obj]
        except (KeyError, TypeError):  # TypeError: it has no hash
            raise UnknownKeyError(
                f"No data for {obj!r:.100}: it is not part of the simulated network. "
                "Expected one of its Probes, Ensembles, Connections or Nodes",
                "data",
                self,
            ) from None
        if obj in self._outdated:
            warn_user(
                f"The simulator is closed, so the parameters of {obj} are those that "
                "it was built with, not what was learned or trained since. Look them "
                "up before it is closed"
            )
        if isinstance(obj, nengo.Ensemble):
            live = _read_only(self._ensemble(obj, built))
        elif isinstance(obj, nengo.Connection):
            live = _read_only(self._connection(obj, built))
        else:
            return built
        words = self._words(obj)
        return recorded(live, About(str(obj), self._store is not None, words))

    @property
    def raw(self) -> RawData:
        """Samples step by step, in lists that ``del sim.data.raw[probe][:]`` empties.

        Nengo GUI reads them while a simulation runs.
        """
        return RawData(self, self._probes)

    def get_params(self, *obj_attrs: tuple[Any, str]) -> list[Any]:
        """Return current parameters of objects, one by one.

        Parameters
        ----------
        obj_attrs : tuple of (nengo object, str)
            An object, and the name of one of its parameters: ``(ensemble, "bias")``.

        Returns
        -------
        list of np.ndarray
            What ``sim.data[obj].attr`` is, for each.

        Raises
        ------
        ValidationError
            If an object is not part of the network, or has no such parameter.

        Examples
        --------
        >>> import nengo, nengo_dl
        >>> with nengo.Network(seed=0) as net:
        ...     ensemble = nengo.Ensemble(20, 1)
        >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ...     gain, bias = sim.data.get_params((ensemble, "gain"), (ensemble, "bias"))
        >>> gain.shape, bias.shape
        ((20,), (20,))
        """
        found = []
        for pair in obj_attrs:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise refused(pair, "get_params", 'pairs such as (ensemble, "bias")')
            obj, attr = pair
            built = self[obj]
            trained = logarithms(self._model.sig[_owner(obj)])
            if attr in trained and attr != "gain":
                found.append(self._attribute(trained[attr]))
                continue
            if attr not in getattr(built, "_fields", ()):
                fields = (*getattr(built, "_fields", ()), *trained)
                names = ", ".join(dict.fromkeys(fields)) or "none"
                raise ValidationError(
                    f"{obj} has no parameter {attr!r}; it has {names}",
                    attr="get_params",
                    obj=self,
                )
            found.append(getattr(built, attr))
        return found

    def get_param(self, obj: Any, attr: str) -> Any:
        """Return one current parameter; an older form of `get_params`.

        Parameters
        ----------
        obj : nengo object
            An object.
        attr : str
            The name of one of its parameters.

        Returns
        -------
        np.ndarray
            What ``sim.data[obj].attr`` is.

        Examples
        --------
        >>> sim.data.get_param(ensemble, "bias")  # doctest: +SKIP
        >>> sim.data.get_params((ensemble, "bias"))[0]  # doctest: +SKIP
        """
        warn_user(
            "`get_param(obj, attr)` is an older form; the current one is "
            "`get_params((obj, attr))[0]`, or `sim.data[obj]`",
            DeprecationWarning,
        )
        return self.get_params((obj, attr))[0]

    def __iter__(self) -> Iterator:
        return iter(self._model.params)

    def __len__(self) -> int:
        return len(self._model.params)

    def __repr__(self) -> str:
        rows = [(shape, words, obj) for obj, words, shape in self._listing()]
        return text_table(self._title, rows)

    def _repr_html_(self) -> str:
        return html_table(self._title, ("object", "", "shape"), self._listing())

    @property
    def _title(self) -> str:
        state = "a closed simulator" if self._store is None else "an open simulator"
        return f"SimulationData of {state}"

    def _listing(self) -> list[tuple[str, str, str]]:
        """Return a line for each Probe, and for each parameter of each object."""
        probes, rest = first(self._probes.probes, N_SHOWN)
        rows = [(str(p), "samples", in_short(self._probes.data(p))) for p in probes]
        rows += [(rest, "samples", "")] if rest else []
        objects = [obj for obj in self._model.params if self._signals_of(obj)]
        objects, rest = first(objects, N_SHOWN)
        rows += [
            (str(obj), f"{key}, {self._word(signal)}", in_short(signal))
            for obj in objects
            for key, signal in self._named_signals(obj)
        ]
        return rows + ([(rest, "parameters", "")] if rest else [])

    def _word(self, signal: Signal) -> str:
        """Return how a parameter may change, in a word: trainable, learned, fixed."""
        if self._trainable.get(signal):
            return "trainable"
        if signal in self._learned:
            return "learned online"
        return "fixed"

    def _words(self, obj: Any) -> dict[str, str]:
        """Return how each attribute of an object's record may change, in words."""
        words = {key: self._word(signal) for key, signal in self._named_signals(obj)}
        if "encoders" in words:
            words["scaled_encoders"] = words["encoders"]
        return words

    def _live(self, signal: Signal | None) -> np.ndarray | None:
        """Return the current value of a parameter, or None if it is as built."""
        if signal is None or self._store is None:
            return None
        value = self._store.value(signal)
        if value.ndim > (1 if signal.sparse else signal.ndim) and not self._minibatched:
            value = value[0]
        initial = signal.initial_value
        if not signal.sparse and np.array_equal(value, initial.astype(value.dtype)):
            return None
        return value

    def _ensemble(
        self, ensemble: nengo.Ensemble, built: BuiltEnsemble
    ) -> BuiltEnsemble:
        encoders = self._live(self._model.sig[ensemble].get("encoders"))
        bias = self._live(self._model.sig[ensemble.neurons].get("bias"))
        factors = self._factors(ensemble)
        if bias is not None:
            built = built._replace(bias=bias)
        if encoders is not None:
            gain = built.gain
            if self._normalized[ensemble] and gain is not None:
                # scaled encoders are gain / radius times unit vectors
                gain = np.linalg.norm(encoders, axis=-1) * ensemble.radius
            scale = 1.0 if gain is None else gain / ensemble.radius
            with np.errstate(divide="ignore", invalid="ignore"):
                unscaled = np.nan_to_num(encoders / np.expand_dims(scale, -1))
            built = built._replace(
                scaled_encoders=encoders, encoders=unscaled, gain=gain
            )
        if factors is not None:
            # of all currents: of gains and biases
            built = built._replace(
                gain=built.gain * factors,
                bias=built.bias * factors,
                scaled_encoders=built.scaled_encoders * factors[:, np.newaxis],
            )
        changed = any(x is not None for x in (bias, encoders, factors))
        if built.gain is not None and changed:
            built = built._replace(**_tuning(ensemble, built))
        return built

    def _factors(self, ensemble: nengo.Ensemble) -> np.ndarray | None:
        """Return by which factors gains have been trained, or None if they were not."""
        signal = logarithms(self._model.sig[ensemble.neurons]).get("gain")
        value = self._live(signal)
        return None if signal is None or value is None else signal.value(value)

    def _attribute(self, signal: Logarithm) -> np.ndarray:
        """Return the current value of an attribute in its own units."""
        value = self._live(signal)
        return np.array(signal.start if value is None else signal.value(value))

    def _connection(
        self, connection: nengo.Connection, built: BuiltConnection
    ) -> BuiltConnection:
        signal = self._model.sig[connection].get("weights")
        weights = self._live(signal)
        if weights is None or signal is None:
            return built
        if signal.sparse:
            assert weights.size == size(signal)
            if np.array_equal(weights, coordinates(signal)[2].astype(weights.dtype)):
                return built
            return built._replace(weights=_sparse(signal, weights))
        return built._replace(weights=weights)


def _owner(obj: Any) -> Any:
    """Return the object that ``model.sig`` has the attributes under which train."""
    return obj.neurons if isinstance(obj, nengo.Ensemble) else obj


def _tuning(ensemble: nengo.Ensemble, built: BuiltEnsemble) -> dict[str, np.ndarray]:
    """Return intercepts and maximum rates that follow from gain and bias."""
    tuning = ensemble.neuron_type.max_rates_intercepts
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # neurons that training has silenced have none
        warnings.simplefilter("ignore")
        if built.gain.ndim == 1:
            rates, intercepts = tuning(built.gain, built.bias)
        else:
            # each item of the minibatch has learned encoders of its own
            each = [tuning(gain, built.bias) for gain in built.gain]
            rates, intercepts = map(np.stack, zip(*each, strict=True))
    return {"max_rates": rates, "intercepts": intercepts}


def _sparse(signal: Signal, values: np.ndarray) -> Any:
    """Return a sparse matrix of the type that Nengo has built, with other values."""
    initial = signal.initial_value
    if isinstance(initial, SparseMatrix):
        return SparseMatrix(initial.indices, values, initial.shape)
    matrix = initial.tocoo(copy=True)
    matrix.data = values
    return matrix.asformat(initial.format)


def _read_only(built: Any) -> Any:
    """Return a record of parameters whose arrays cannot be changed by mistake."""
    views = {}
    for name, value in built._asdict().items():
        if isinstance(value, np.ndarray):
            views[name] = value.view()
            views[name].flags.writeable = False
    return built._replace(**views)


class SignalMapping(Mapping):
    """Map Signals to their current values.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    store : StateStore
        Live values.
    minibatched : bool
        Whether carried values have a batch axis.
    """

    def __init__(self, model: Model, store: StateStore, minibatched: bool) -> None:
        self._store = store
        self._minibatched = minibatched
        signals = (s for op in model.operators for s in op.all_signals)
        self._signals = dict.fromkeys(signals)

    def __getitem__(self, signal: Signal) -> np.ndarray:
        if not isinstance(signal, Signal):
            raise UnknownKeyError(
                f"Expected a Signal of the model, got {signal!r:.100}. They are in "
                '`sim.model.sig`: `sim.signals[sim.model.sig[ensemble]["encoders"]]`',
                "signals",
            )
        value = self._store.value(signal)
        rank = 1 if signal.sparse else signal.ndim
        if value.ndim > rank and not self._minibatched:
            value = value[0]
        value = np.asarray(value)
        value.flags.writeable = False
        return value

    def __iter__(self) -> Iterator[Signal]:
        return iter(self._signals)

    def __len__(self) -> int:
        return len(self._signals)
