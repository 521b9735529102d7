"""``sim.data``: what probes recorded, and the live parameters of built objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np
from nengo.builder.connection import BuiltConnection
from nengo.builder.ensemble import BuiltEnsemble
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError

from nengo_dl.graph.signals import coordinates, size

if TYPE_CHECKING:
    from nengo.builder import Model

    from nengo_dl.runtime.probes import ProbeStore
    from nengo_dl.runtime.store import StateStore


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
    """

    def __init__(
        self,
        model: Model,
        store: StateStore,
        probes: ProbeStore,
        minibatched: bool = False,
    ) -> None:
        self._model = model
        self._minibatched = minibatched
        self._store: StateStore | None = store
        self._probes = probes

    def close(self) -> None:
        """Let go of the live values; from now on initial ones are returned."""
        self._store = None

    def samples(self) -> dict[nengo.Probe, np.ndarray]:
        """Return all samples, shape (n_samples, batch, *shape) each."""
        return self._probes.snapshot()

    def __getitem__(self, obj: Any) -> Any:
        if obj in self._probes:
            return self._probes.data(obj)
        try:
            built = self._model.params[obj]
        except (KeyError, TypeError):
            raise ValidationError(
                f"No data for {obj!r}: it is not part of the simulated network. "
                "Expected one of its Probes, Ensembles, Connections or Nodes",
                attr="data",
                obj=self,
            ) from None
        if isinstance(obj, nengo.Ensemble):
            return _read_only(self._ensemble(obj, built))
        if isinstance(obj, nengo.Connection):
            return _read_only(self._connection(obj, built))
        return built

    def __iter__(self) -> Iterator:
        return iter(self._model.params)

    def __len__(self) -> int:
        return len(self._model.params)

    def __repr__(self) -> str:
        samples = ", ".join(
            f"{probe}: {self._probes.data(probe).shape}"
            for probe in self._probes.probes
        )
        return f"<SimulationData of {len(self)} objects; probes {{{samples}}}>"

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
        if bias is not None:
            built = built._replace(bias=bias)
        if encoders is not None:
            gain = built.gain
            if ensemble.normalize_encoders and gain is not None:
                # scaled encoders are gain / radius times unit vectors
                gain = np.linalg.norm(encoders, axis=-1) * ensemble.radius
            scale = 1.0 if gain is None else gain / ensemble.radius
            with np.errstate(divide="ignore", invalid="ignore"):
                unscaled = np.nan_to_num(encoders / np.expand_dims(scale, -1))
            built = built._replace(
                scaled_encoders=encoders, encoders=unscaled, gain=gain
            )
        return built

    def _connection(
        self, connection: nengo.Connection, built: BuiltConnection
    ) -> BuiltConnection:
        signal = self._model.sig[connection].get("weights")
        weights = self._live(signal)
        if weights is None or signal is None:
            return built
        if signal.sparse:
            rows, columns, _ = coordinates(signal)
            assert weights.size == size(signal)
            dense = np.zeros(signal.shape, weights.dtype)
            np.add.at(dense, (rows, columns), weights)
            if np.array_equal(weights, coordinates(signal)[2].astype(weights.dtype)):
                return built
            weights = dense
        return built._replace(weights=weights)


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
