"""What is written to NIR: a network, or a simulator with the parameters it has now."""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType
from nengo.synapses import Synapse

from nengo_dl.graph.trained_attributes import logarithms, with_values
from nengo_dl.validation import positive_number, refused


class SourceModel:
    """A built model, whoever built it.

    Parameters
    ----------
    source : nengo.Network, nengo.Simulator or nengo_dl.Simulator
        What the user gave.
    dt : float or None
        The time step (s) of a network; that of a simulator is known.

    Attributes
    ----------
    network : nengo.Network
        The network.
    dt : float
        The time step (s).
    """

    def __init__(self, source: Any, dt: float | None) -> None:
        if dt is not None:
            dt = positive_number(dt, "dt")
        if isinstance(source, nengo.Network):
            self.network = source
            self._model = Model(dt=dt or 0.001)
            self._model.build(source)
            self._data: Any = self._model.params
        elif isinstance(getattr(source, "model", None), Model):
            self._model = source.model
            self.network = self._model.toplevel
            self._data = source.data
            if dt is not None and dt != self._model.dt:
                raise ValidationError(
                    f"The simulator has a time step of {self._model.dt:g} s, got "
                    f"{dt:g} s. Leave it out",
                    "dt",
                )
        else:
            raise refused(source, "network", "a nengo.Network or a Simulator")
        self.dt = float(self._model.dt)
        self._of_probes = {
            connection.post_obj: connection
            for connection in self._model.params
            if isinstance(connection, nengo.Connection)
            and isinstance(connection.post_obj, nengo.Probe)
        }

    def parameters(self, obj: Any) -> Any:
        """Return Nengo's record of what an Ensemble or a Connection has now."""
        return self._data[obj]

    def neuron_type(self, ensemble: nengo.Ensemble) -> NeuronType:
        """Return an Ensemble's neuron type, with what has been trained of it."""
        return with_values(ensemble.neuron_type, self._trained(ensemble), self.dt)

    def synapse(self, connection: Any) -> Synapse | None:
        """Return a Connection's synapse, with what has been trained of it."""
        return with_values(connection.synapse, self._trained(connection), self.dt)

    def _trained(self, obj: Any) -> dict[str, float]:
        """Return the attributes of an object that are parameters, by name."""
        owner = obj.neurons if isinstance(obj, nengo.Ensemble) else obj
        # a Probe that stands for a Connection has no Signals of its own
        names = logarithms(self._model.sig.get(owner, {})).keys() - {"gain"}
        return {name: self._data.get_params((obj, name))[0].item() for name in names}

    def weights(self, connection: nengo.Connection) -> Any:
        """Return the weights that a Connection has now, as Nengo keeps them."""
        weights = self._data[connection].weights
        return np.ones(()) if weights is None else weights

    def probe_connection(self, probe: nengo.Probe) -> nengo.Connection | None:
        """Return the Connection that decodes an Ensemble for a Probe; else None."""
        return self._of_probes.get(probe)

    def initial_voltage(self, ensemble: nengo.Ensemble) -> np.ndarray | None:
        """Return with which voltages neurons begin, if their type has voltages."""
        signals = self._model.sig[ensemble.neurons]
        if "voltage" not in signals:
            return None
        return np.array(signals["voltage"].initial_value, float).reshape(-1)
