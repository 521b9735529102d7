"""How far apart are what NIR cannot say and what is written instead, measured."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.neurons import NeuronType
from nengo.synapses import Synapse

#: how long neurons are driven (s), and with how many waves
_DURATION, _FREQUENCY = 1.0, 2.0
#: of larger populations this many neurons are looked at
_MAX_NEURONS = 500


def spike_difference(
    meant: NeuronType,
    written: NeuronType,
    gain: np.ndarray,
    bias: np.ndarray,
    dt: float,
    written_scales: tuple[np.ndarray, np.ndarray] | None = None,
    adaptation: tuple[float, float] | None = None,
) -> str:
    """Return in words how much the spikes of two neuron types differ.

    Both are driven for a second with a sine wave of 2 Hz that goes through all that the
    neurons are made for, from -1 to 1.

    Parameters
    ----------
    meant, written : nengo.neurons.NeuronType
        The types.
    gain, bias : np.ndarray, shape (n_neurons,)
        Their gains and biases.
    dt : float
        Time step (s).
    written_scales : tuple of np.ndarray, optional
        Gains and biases of the second type, if they are others.
    adaptation : tuple of (float, float), optional
        Time constant (s) and weight of a filter of the second type's spikes that
        inhibits it.
    """
    counts = [
        _counts(neuron_type, gains[:_MAX_NEURONS], biases[:_MAX_NEURONS], dt, around)
        for neuron_type, (gains, biases), around in (
            (meant, (gain, bias), None),
            (written, written_scales or (gain, bias), adaptation),
        )
    ]
    total = [int(c.sum()) for c in counts]
    most = int(np.abs(counts[0] - counts[1]).max())
    return (
        f"measured with a sine wave of {_FREQUENCY:g} Hz for {_DURATION:g} s: "
        f"{total[1]} instead of {total[0]} spikes of {len(counts[0])} neurons, "
        f"at most {most} more or less for a neuron"
    )


def _counts(
    neuron_type: NeuronType,
    gain: np.ndarray,
    bias: np.ndarray,
    dt: float,
    adaptation: tuple[float, float] | None,
) -> np.ndarray:
    n_steps = min(round(_DURATION / dt), 20_000)
    state = neuron_type.make_state(len(gain), rng=np.random.RandomState(0))
    for name, values in state.items():
        if name == "voltage":
            values[...] = 0
    output = np.zeros_like(gain, float)
    counts = np.zeros_like(output)
    inhibition = np.zeros_like(output)
    for i in range(n_steps):
        x = np.sin(2 * np.pi * _FREQUENCY * i * dt)
        neuron_type.step(dt, gain * x + bias - inhibition, output, **state)
        if adaptation is not None:
            tau, weight = adaptation
            inhibition += (weight * output - inhibition) * -np.expm1(-dt / tau)
        counts += output * dt / neuron_type.amplitude
    return np.round(counts)


def synapse_difference(meant: Synapse, written: list[Synapse], dt: float) -> str:
    """Return in words how much a filter differs from others in series.

    Parameters
    ----------
    meant : nengo.synapses.Synapse
        The filter.
    written : list of nengo.synapses.Synapse
        What stands for it.
    dt : float
        Time step (s).
    """
    noise = np.random.default_rng(0).normal(size=(1000, 1))
    expected = meant.filt(noise, dt=dt, y0=0)
    found = noise
    for synapse in written:
        found = synapse.filt(found, dt=dt, y0=0)
    apart = float(np.sqrt(np.mean((found - expected) ** 2)))
    size = float(np.sqrt(np.mean(expected**2)))
    return (
        f"measured with white noise at dt = {dt:g} s: they differ by {apart:.2g} "
        f"(root mean square) of {size:.2g}"
    )


def without_floor(neuron_type: nengo.LIF, **changes: float) -> nengo.LIF:
    """Return LIF neurons as NIR has them."""
    arguments = {
        "tau_rc": neuron_type.tau_rc,
        "tau_ref": 0.0,
        "min_voltage": -np.inf,
        "amplitude": neuron_type.amplitude,
        **changes,
    }
    return nengo.LIF(**arguments)
