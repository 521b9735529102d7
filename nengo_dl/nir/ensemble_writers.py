"""Ensembles as NIR nodes: encoders and biases, neurons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.neurons import NeuronType

from nengo_dl.neurons import Heaviside
from nengo_dl.nir.approximations import spike_difference, without_floor
from nengo_dl.nir.neuron_nodes import NO_LEAK
from nengo_dl.nir.source_model import SourceModel
from nengo_dl.nir.written_graph import WrittenGraph, WrittenNode


@dataclass
class Ports:
    """Where an Ensemble receives and sends in a graph.

    Attributes
    ----------
    represented, neurons : str
        The nodes that receive represented values, and currents of neurons.
    sender : str
        The node that has the spikes.
    gain : np.ndarray, shape (n_neurons,)
        Factors of currents that come to ``.neurons``.
    scale : float
        What Nengo's neurons send where NIR's send 1.
    """

    represented: str
    neurons: str
    sender: str
    gain: np.ndarray
    scale: float


class Findings:
    """What cannot be written, and what was written although it is not the same.

    Parameters
    ----------
    approximate : str or None
        ``"drop"`` or ``"reset"`` if the user takes something similar.
    """

    def __init__(self, approximate: str | None) -> None:
        self.approximate = approximate
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def refuse(self, obj: Any, reason: str) -> None:
        """Note that something cannot be written."""
        self.problems.append(f"{obj}: {reason}")

    def stands_for(
        self, obj: Any, reason: str, instead: str, difference: Callable[[], str]
    ) -> bool:
        """Return whether the user takes something similar; note how different it is."""
        if self.approximate is None:
            self.refuse(obj, f"{reason}. With approximate=True: {instead}")
            return False
        self.warn(obj, f"{reason}; {instead}, {difference()}")
        return True

    def warn(self, obj: Any, text: str) -> None:
        """Note a difference that the user should know."""
        self.warnings.append(f"{obj}: {text}")


def write_ensemble(
    graph: WrittenGraph,
    source: SourceModel,
    ensemble: nengo.Ensemble,
    represents: bool,
    found: Findings,
) -> Ports | None:
    """Add the nodes of an Ensemble.

    Parameters
    ----------
    graph : WrittenGraph
        Where they go.
    source : SourceModel
        Has the parameters.
    ensemble : nengo.Ensemble
        The Ensemble.
    represents : bool
        Whether anything comes to the Ensemble itself, and not to its neurons.
    found : Findings
        Where problems go.

    Returns
    -------
    Ports or None
        None if it cannot be written.
    """
    writer = _WRITERS.get(type(ensemble.neuron_type))
    if writer is None:
        found.refuse(
            ensemble,
            f"{type(ensemble.neuron_type).__name__} neurons are none of NIR's: it has "
            "LIF and IF neurons without a refractory time, and steps",
        )
        return None
    if ensemble.noise is not None:
        found.refuse(ensemble, "NIR's neurons have no noise")
        return None
    built = source.parameters(ensemble)
    gain, bias = np.array(built.gain, float), np.array(built.bias, float)
    node = writer(source, ensemble, gain, bias, found)
    if node is None:
        return None
    name = graph.add(ensemble.label or "ensemble", node)
    represented = name
    if represents:
        weight = np.array(built.scaled_encoders, float)
        affine = WrittenNode("Affine", {"weight": weight, "bias": bias}, len(gain))
        represented = graph.add(f"{name}_encoders", affine)
        graph.connect([represented], name)
    elif np.any(bias):
        graph.add_bias(name, bias)
    sender = _add_adaptation(graph, source, ensemble, name)
    amplitude = float(source.neuron_type(ensemble).amplitude)
    spiking = source.neuron_type(ensemble).spiking
    scale = amplitude / source.dt if spiking else amplitude
    return Ports(represented, name, sender, gain, scale)


def _lif(
    source: SourceModel,
    ensemble: nengo.Ensemble,
    gain: np.ndarray,
    bias: np.ndarray,
    found: Findings,
) -> WrittenNode | None:
    neuron_type = source.neuron_type(ensemble)
    notes = {
        "tau_ref": float(neuron_type.tau_ref),
        "min_voltage": float(neuron_type.min_voltage),
        "initial_voltage": source.initial_voltage(ensemble),
    }
    reset = 0.0
    # adaptation is measured as a whole
    plain = nengo.LIF(
        tau_rc=neuron_type.tau_rc,
        tau_ref=neuron_type.tau_ref,
        min_voltage=neuron_type.min_voltage,
        amplitude=neuron_type.amplitude,
    )
    written = without_floor(plain)

    def difference() -> str:
        return spike_difference(plain, written, gain, bias, source.dt)

    if neuron_type.tau_ref > 0:
        reason = (
            f"NIR's neurons have no refractory time, here {neuron_type.tau_ref:g} s"
        )
        if found.approximate == "reset":
            reset = _reset_for(neuron_type)
            return _measured_reset(
                source, ensemble, (gain, bias), found, reason, notes, reset
            )
        if not found.stands_for(ensemble, reason, "it is left out", difference):
            return None
    elif np.isfinite(neuron_type.min_voltage):
        found.warn(
            ensemble,
            f"NIR's voltages have no floor, min_voltage is "
            f"{neuron_type.min_voltage:g}; with -np.inf it is the same; "
            f"{difference()}",
        )
    return _lif_node(neuron_type, ensemble.n_neurons, reset, notes)


def _lif_node(
    neuron_type: NeuronType, n: int, reset: float, notes: dict[str, Any]
) -> WrittenNode:
    if neuron_type.tau_rc == NO_LEAK and not reset:
        parameters = {
            "r": np.full(n, 1 / NO_LEAK),
            "v_threshold": np.ones(n),
            "v_reset": np.zeros(n),
        }
        return WrittenNode("IF", parameters, n, notes)
    parameters = {
        "tau": np.full(n, float(neuron_type.tau_rc)),
        "r": np.ones(n),
        "v_leak": np.zeros(n),
        "v_threshold": np.ones(n),
        "v_reset": np.full(n, reset),
    }
    return WrittenNode("LIF", parameters, n, notes)


def _reset_for(neuron_type: nengo.LIF) -> float:
    r"""Return from where the voltage takes as long as the refractory time to 0.

    .. math:: v_{reset} = -J (e^{\tau_{ref}/\tau_{rc}} - 1)

    for the current with which neurons fire at 150 Hz, or half of their fastest.
    """
    rate = min(150.0, 0.5 / neuron_type.tau_ref)
    silent = (1 / rate - neuron_type.tau_ref) / neuron_type.tau_rc
    current = 1 / -np.expm1(-silent)
    return float(-current * np.expm1(neuron_type.tau_ref / neuron_type.tau_rc))


def _measured_reset(
    source: SourceModel,
    ensemble: nengo.Ensemble,
    scales: tuple[np.ndarray, np.ndarray],
    found: Findings,
    reason: str,
    notes: dict[str, Any],
    reset: float,
) -> WrittenNode:
    """Return neurons whose voltage is reset far below 0 instead of being held there."""
    gain, bias = scales
    neuron_type = source.neuron_type(ensemble)
    # with u = (v - reset) / (1 - reset) Nengo's neurons are these
    height = 1 - reset
    difference = spike_difference(
        neuron_type,
        without_floor(neuron_type),
        gain,
        bias,
        source.dt,
        written_scales=(gain / height, (bias - reset) / height),
    )
    found.warn(ensemble, f"{reason}, v_reset is {reset:.3g} in its place; {difference}")
    notes = {**notes, "v_reset": 0.0}
    return _lif_node(neuron_type, ensemble.n_neurons, reset, notes)


def _adaptive(
    source: SourceModel,
    ensemble: nengo.Ensemble,
    gain: np.ndarray,
    bias: np.ndarray,
    found: Findings,
) -> WrittenNode | None:
    if not found.stands_for(
        ensemble,
        "NIR's neurons do not adapt",
        "LI and Linear around the LIF inhibit it",
        lambda: spike_difference(
            source.neuron_type(ensemble),
            without_floor(source.neuron_type(ensemble)),
            gain,
            bias,
            source.dt,
            adaptation=(
                source.neuron_type(ensemble).tau_n,
                source.neuron_type(ensemble).inc_n,
            ),
        ),
    ):
        return None
    return _lif(source, ensemble, gain, bias, found)


def _add_adaptation(
    graph: WrittenGraph, source: SourceModel, ensemble: nengo.Ensemble, name: str
) -> str:
    """Add what inhibits adaptive neurons after their spikes; return the sender."""
    neuron_type: Any = source.neuron_type(ensemble)
    if isinstance(neuron_type, nengo.AdaptiveLIF):
        n = ensemble.n_neurons
        filtered = WrittenNode(
            "LI",
            {
                "tau": np.full(n, float(neuron_type.tau_n)),
                "r": np.full(n, float(neuron_type.inc_n) / source.dt),
                "v_leak": np.zeros(n),
            },
            n,
        )
        back = WrittenNode("Linear", {"weight": -np.eye(n)}, n)
        adaptation = graph.add(f"{name}_adaptation", filtered)
        inhibition = graph.add(f"{name}_inhibition", back)
        graph.connect([name], adaptation)
        graph.connect([adaptation], inhibition)
        graph.connect([inhibition], name)
    return name


def _rectified(
    source: SourceModel,
    ensemble: nengo.Ensemble,
    gain: np.ndarray,
    bias: np.ndarray,
    found: Findings,
) -> WrittenNode | None:
    written = nengo.LIF(
        tau_rc=NO_LEAK,
        tau_ref=0,
        min_voltage=-np.inf,
        amplitude=source.neuron_type(ensemble).amplitude,
    )
    if not found.stands_for(
        ensemble,
        "NIR's neurons lose what the voltage has beyond the threshold, "
        "SpikingRectifiedLinear neurons keep it",
        "IF",
        lambda: spike_difference(
            source.neuron_type(ensemble),
            written,
            gain,
            bias,
            source.dt,
            written_scales=(gain * NO_LEAK, bias * NO_LEAK),
        ),
    ):
        return None
    n = ensemble.n_neurons
    parameters = {"r": np.ones(n), "v_threshold": np.ones(n), "v_reset": np.zeros(n)}
    notes = {"initial_voltage": source.initial_voltage(ensemble)}
    return WrittenNode("IF", parameters, n, notes)


def _heaviside(
    source: SourceModel,
    ensemble: nengo.Ensemble,
    gain: np.ndarray,
    bias: np.ndarray,
    found: Findings,
) -> WrittenNode:
    n = ensemble.n_neurons
    return WrittenNode("Threshold", {"threshold": np.zeros(n)}, n)


_WRITERS: dict[type[NeuronType], Callable[..., WrittenNode | None]] = {
    nengo.LIF: _lif,
    nengo.AdaptiveLIF: _adaptive,
    nengo.SpikingRectifiedLinear: _rectified,
    Heaviside: _heaviside,
}
