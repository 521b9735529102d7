"""Firing rates of hundreds of Hz, where weights are meant for numbers about 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.ensemble import Neurons

from nengo_dl.graph.tensor_operator import SimTensorNode
from nengo_dl.lowering.neurons.rate_equivalents import rate_equivalent
from nengo_dl.simulation.store import StateStore
from nengo_dl.training.model_function import ModelFunction
from nengo_dl.user_code import warn_user

#: what weighted sums of activities are expected to be less than; Glorot's and He's
#: initial weights make them about 1 for activities of about 1, solvers of decoders too
MANY = 50.0

#: neurons of a population, and inputs of each, whose rates are computed
_NEURONS, _INPUTS = 500, 20


@dataclass(frozen=True, eq=False)
class _Reader:
    """Weights that multiply the activities of neurons, and are trained.

    Attributes
    ----------
    neurons : Neurons
        Whose activities they are.
    columns : slice or list of int
        Which of them.
    owner : Any
        The Connection or TensorNode that the weights belong to.
    weights : Signal
        The weights.
    factor : float
        What activities are multiplied by on the way.
    """

    neurons: Neurons
    columns: Any
    owner: Any
    weights: Signal
    factor: float = 1.0


class HighRates:
    """Warn once where weights cannot cope with the activities that they multiply.

    Nothing is simulated for it: inputs of populations are taken to be what these
    represent, or currents of about 1.

    Parameters
    ----------
    model : Model
        The built model.
    store : StateStore
        The present parameters.
    """

    def __init__(self, model: Model, store: StateStore) -> None:
        self._model, self._store = model, store
        self._done = False

    def warn(self, function: ModelFunction) -> None:
        """Warn about what is trained, unless that was looked at before.

        Parameters
        ----------
        function : ModelFunction
            The model as it is trained.

        Warns
        -----
        NengoWarning
            If sums of activities are two orders of magnitude above 1.
        """
        if self._done or self._model.toplevel is None:
            return
        self._done = True
        found = []
        for reader in self._readers(function):
            typical = self._activity(reader) * reader.factor
            if typical * self._gain(reader) >= MANY:
                found.append((reader, typical))
        if found:
            reader, typical = found[0]
            more = f" (and {len(found) - 1} more like this)" if found[1:] else ""
            warn_user(
                f"Training is likely to fail: {reader.neurons} have activities of "
                f"about {typical:.0f}, and the weights of {reader.owner} are as large "
                f"as if these were about 1{more}. Expected activities of about 1: "
                f"{_remedy(reader.neurons.ensemble, typical)}"
            )

    def _readers(self, function: ModelFunction) -> Iterator[_Reader]:
        """Yield all weights that are trained and that activities are multiplied by."""
        model, trained = self._model, function.reach.trained
        layers = {
            op.x: op
            for op in function.operators
            if isinstance(op, SimTensorNode) and op.x is not None
        }
        for connection in model.toplevel.all_connections:
            if not isinstance(connection.pre_obj, Neurons):
                continue
            neurons, columns = connection.pre_obj, connection.pre_slice
            if isinstance(neurons.ensemble.neuron_type, nengo.Direct):
                continue
            weights = model.sig[connection].get("weights")
            if weights in trained and weights.ndim > 1:
                yield _Reader(neurons, columns, connection, weights)
                continue
            layer = layers.get(model.sig[connection.post_obj].get("in"))
            kernel = None if layer is None else next(iter(layer.weights.values()), None)
            # what begins with a normalisation takes any numbers
            if kernel is not None and kernel in trained and kernel.ndim > 1:
                factor = 1.0
                if weights is not None and not weights.sparse and weights.size == 1:
                    factor = float(np.abs(self._store.value(weights)).item())
                owner = connection.post_obj
                yield _Reader(neurons, columns, owner, kernel, factor)

    def _gain(self, reader: _Reader) -> float:
        """Return how large a sum of activities of 1 and either sign is, about."""
        values, shape = self._store.value(reader.weights), reader.weights.shape
        if reader.weights.sparse:
            fan_in = values.size / shape[0]
        elif isinstance(reader.owner, nengo.Connection) and len(shape) == 2:
            fan_in = shape[1]
        else:  # of Keras' layers, and kernels of convolutions
            fan_in = np.prod(shape[:-1])
        return float(np.sqrt(np.mean(np.square(values, dtype=float)) * fan_in))

    def _activity(self, reader: _Reader) -> float:
        """Return the root mean square of activities, 0 if the neurons do not tell."""
        ensemble = reader.neurons.ensemble
        built, own = self._model.params[ensemble], ensemble.neuron_type
        indices = np.arange(ensemble.n_neurons)[reader.columns]
        indices = indices[:: max(1, len(indices) // _NEURONS)]
        bias = np.asarray(built.bias)[indices]
        if any(c.post_obj is ensemble for c in self._model.toplevel.all_connections):
            points = np.asarray(built.eval_points)
            points = points[:: max(1, len(points) // _INPUTS)]
            currents = points @ np.asarray(built.scaled_encoders)[indices].T + bias
        else:
            rng = np.random.RandomState(0)
            currents = rng.randn(_INPUTS, len(indices)) + bias
        ones, zeros = np.ones(len(indices)), np.zeros(len(indices))
        try:
            # what Nengo makes of rates lacks the amplitude
            kind = rate_equivalent(own) or own
            rates = np.asarray(kind.rates(currents, ones, zeros), float)
        except Exception:  # code of users, which nothing else depends on
            return 0.0
        rates = rates[np.isfinite(rates)]
        return float(np.sqrt(np.mean(rates**2))) if rates.size else 0.0


def _remedy(ensemble: nengo.Ensemble, typical: float) -> str:
    """Return what makes activities of an Ensemble about 1."""
    kind = ensemble.neuron_type
    name = type(kind).__name__
    others = "" if repr(kind) == f"{name}()" else "..., "
    if hasattr(kind, "amplitude"):
        return f"set `{name}({others}amplitude={kind.amplitude / typical:.1g})`"
    if hasattr(kind, "tau_ref") and ensemble.gain is not None:
        # Nengo has no amplitude for it, and no maximum rates above 1 / tau_ref
        return f"set `{name}({others}tau_ref={kind.tau_ref * typical:.1g})`"
    return (
        f"{name} has no `amplitude=`, so multiply what it gives, by `transform="
        f"{1 / typical:.1g}` in front of the weights, or make these so much smaller"
    )
