r"""LIF, CubaLIF, IF and Threshold: ensembles of neurons.

Nengo's LIF neurons without a refractory time lose what the voltage has beyond the
threshold when they fire, as neurons of all frameworks with clock-driven steps do; with
the voltage :math:`u = (v - v_{reset})/\Delta`, where :math:`\Delta = v_{threshold} -
v_{reset}`, they are the same step for step.
"""

from __future__ import annotations

from typing import Any, ClassVar

import nengo
import numpy as np

from nengo_dl.nir.filter_nodes import by_value, current_of
from nengo_dl.nir.node_reader import NodeReader, register_node
from nengo_dl.nir.node_records import n_elements
from nengo_dl.nir.subtracting_neurons import subtracting_neurons

#: membranes of IF neurons leak with this time constant (s): in 1e6 steps, by 1 in 1e9
NO_LEAK = 1e6
#: stands for a gain of 0, by which Nengo would divide: times any current it is 0
_NO_GAIN = 1e-290


@register_node("LIF")
class ReadLIF(NodeReader):
    r"""Leaky integrate-and-fire neurons.

    .. math:: \tau v' = v_{leak} - v + r I, \quad
              z = [v > v_{threshold}], \quad v \leftarrow v_{reset} \text{ if } z
    """

    elementwise: ClassVar[dict[str, float | None]] = {
        "tau": None,
        "r": 1.0,
        "v_leak": 0.0,
        "v_threshold": 1.0,
        "v_reset": 0.0,
    }

    @property
    def became(self) -> str:  # type: ignore[override]
        """What it is, in words."""
        if self.options.reset != "zero":
            return "Node with Lowpass, Heaviside neurons, Connection back"
        n = len(np.unique(self.values(self.tau_field)))
        return "LIF neurons" if n == 1 else f"{n} ensembles of LIF neurons"

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make an ensemble, or one for each time constant."""
        taus = self.positive(self.tau_field, shape_in)
        if self.options.reset != "zero":
            return subtracting_neurons(self, shape_in, taus, self.height(shape_in))
        gain, bias, initial = self.scales(shape_in)
        time_constants = {
            tau: self.options.time_constant(tau, self.record, self.tau_field)
            for tau in np.unique(taus).tolist()
        }
        return self.populations(
            [(time_constants[tau], index) for tau, index in by_value(self, taus)],
            gain,
            bias + self.per_element("v_leak", shape_in) / self.height(shape_in),
            initial,
        )

    def values(self, field: str) -> np.ndarray:
        """Return a parameter; a reset that stands for a refractory time is undone."""
        if field == "v_reset" and self.options.own:
            noted = self.record.noted_numbers("v_reset", 1)
            if noted is not None and np.isfinite(noted[0]):
                return np.full_like(super().values(field), noted[0])
        return super().values(field)

    def height(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return how far the threshold is above what the voltage is reset to."""
        height = self.per_element("v_threshold", shape) - self.per_element(
            "v_reset", shape
        )
        if not (height > 0).all():
            raise self.record.refused(
                "Expected a threshold above v_reset, got one that is "
                f"{-height.min():g} below",
                "v_threshold",
            )
        return height

    def scales(
        self, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return gains, biases and initial voltages, all of shape (n,).

        In u a voltage of 0, with which all frameworks begin, is -v_reset / height.
        """
        height = self.height(shape)
        at_reset = -self.per_element("v_reset", shape) / height
        initial = at_reset
        if self.options.own:
            noted = self.record.noted_numbers(
                "initial_voltage", n_elements(shape), finite=True
            )
            initial = initial if noted is None else noted
        return self.per_element("r", shape) / height, at_reset, initial

    def populations(
        self,
        taus: list[tuple[float, list[int] | slice]],
        gain: np.ndarray,
        bias: np.ndarray,
        initial: np.ndarray,
    ) -> tuple[Any, Any]:
        """Make the ensembles; several of them stand between two Nodes."""
        gain = np.where(gain == 0, _NO_GAIN, gain)
        whole = len(taus) == 1
        receiver: Any = None
        sender: Any = None
        if not whole:
            receiver, sender = self.node(gain.shape, "input"), self.node(gain.shape)
        for i, (tau_rc, index) in enumerate(taus):
            label = self.record.name if whole else f"{self.record.name}.{i}"
            neurons = nengo.Ensemble(
                len(gain[index]),
                1,
                neuron_type=self.neuron_type(tau_rc, initial[index]),
                gain=gain[index],
                bias=bias[index],
                label=label,
                **self.ensemble_arguments(),
            ).neurons
            if whole:
                return neurons, neurons
            self.connect(receiver[index], neurons)
            self.connect(neurons, sender[index])
        return receiver, sender

    def neuron_type(self, tau_rc: float, initial: np.ndarray) -> Any:
        """Return the neuron type, with what our own writer has noted of it."""
        tau_ref, low = 0.0, -np.inf
        kind: type[nengo.neurons.NeuronType] = nengo.LIF
        amplitude = self.options.spike_dt
        if self.options.own:
            tau_ref = self._noted_number("tau_ref", tau_ref)
            low = self._noted_number("min_voltage", low)
            if tau_ref < 0 or tau_ref > 1e3 or low > 0:
                raise self.record.refused(
                    f"Expected a refractory time from 0 on and a lowest voltage up to "
                    f"0, got {tau_ref:g} s and {low:g}",
                    "metadata",
                )
        return kind(
            tau_rc=tau_rc,
            tau_ref=tau_ref,
            min_voltage=low,
            amplitude=amplitude,
            initial_state={"voltage": initial},
        )

    def _noted_number(self, key: str, default: float) -> float:
        found = self.record.noted_numbers(key, 1)
        return default if found is None else float(found[0])

    def ensemble_arguments(self) -> dict[str, Any]:
        """Return what else the ensemble is made with; its decoders are not used."""
        return {
            "eval_points": np.zeros((1, 1)),
            "encoders": nengo.dists.Choice([[1.0]]),
        }


@register_node("CubaLIF")
class ReadCubaLIF(ReadLIF):
    r"""Leaky integrate-and-fire neurons behind a synapse.

    .. math:: \tau_{syn} I' = -I + w_{in} S, \quad
              \tau_{mem} v' = v_{leak} - v + r I
    """

    tau_field = "tau_mem"
    elementwise: ClassVar[dict[str, float | None]] = {
        "tau_syn": None,
        "tau_mem": None,
        "r": 1.0,
        "v_leak": 0.0,
        "v_threshold": 1.0,
        "v_reset": 0.0,
        "w_in": 1.0,
    }

    @property
    def became(self) -> str:  # type: ignore[override]
        """What it is, in words."""
        return f"Node with Lowpass, {super().became}"

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make the synapse and the neurons."""
        receiver, current = current_of(self, shape_in)
        neurons, sender = super().build(shape_in)
        self.connect(current, neurons)
        return receiver, sender


@register_node("IF")
class ReadIF(ReadLIF):
    r"""Integrate-and-fire neurons.

    .. math:: v' = r I, \quad z = [v > v_{threshold}], \quad
              v \leftarrow v_{reset} \text{ if } z
    """

    elementwise: ClassVar[dict[str, float | None]] = {
        "r": None,
        "v_threshold": 1.0,
        "v_reset": 0.0,
    }
    became = "LIF neurons that hardly leak"

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make an ensemble of LIF neurons with a very long time constant."""
        if self.options.reset != "zero":
            return subtracting_neurons(self, shape_in, None, self.height(shape_in))
        gain, _, initial = self.scales(shape_in)
        # u' = (J - u) / T with J = T r I / height is u' = r I / height but for u / T
        bias = np.zeros_like(gain)
        return self.populations([(NO_LEAK, slice(None))], gain * NO_LEAK, bias, initial)


@register_node("Threshold")
class ReadThreshold(NodeReader):
    r"""Steps.

    .. math:: z = [x > \theta]
    """

    became = "Heaviside neurons"
    elementwise = {"threshold": None}  # noqa: RUF012

    def build(self, shape_in: tuple[int, ...]) -> tuple[Any, Any]:
        """Make an ensemble whose currents are above 0 where the input passes."""
        neurons = self.steps(self.per_element("threshold", shape_in))
        return neurons, neurons
