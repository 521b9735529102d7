r"""Neurons whose voltage loses the height of the threshold when they fire.

NIR's neurons are reset to a voltage, and so are Nengo's. Most frameworks subtract by
default, which files do not say. Such neurons are a filter without a reset, a threshold
behind it, and a Connection back that arrives in the next time step. With the part
:math:`p` of its input that the filter lets in within a step,

.. math:: v_k = v_{k-1} + p\,(v_{leak} - v_{k-1} + r I_k) - f \Delta z_{k-1}, \quad
          z_k = [v_k > v_{threshold}]

where :math:`f = 1 - p` if the subtraction belongs to the step of the spike, and 1 if it
belongs to the next one.
"""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np

from nengo_dl.nir.filter_nodes import filtered, lowpass
from nengo_dl.nir.node_reader import NodeReader


def subtracting_neurons(
    reader: NodeReader,
    shape: tuple[int, ...],
    taus: np.ndarray | None,
    height: np.ndarray,
) -> tuple[Any, Any]:
    """Make neurons that subtract.

    Parameters
    ----------
    reader : NodeReader
        Of a LIF, CubaLIF or IF.
    shape : tuple of int
        Its shape.
    taus : np.ndarray or None, shape (n_neurons,)
        Time constants (s); None for integrators.
    height : np.ndarray, shape (n_neurons,)
        What a spike takes from the voltage.

    Returns
    -------
    receiver, sender : object
        What Connections go to and come from.
    """
    options = reader.options
    receiver, driven = reader.node(shape, "input"), reader.node(shape, "driven")
    voltage = reader.node(shape, "voltage")
    dt = options.spike_dt
    gain = reader.per_element("r", shape)
    if taus is None:
        part, kept = np.full(height.shape, dt), np.ones_like(height)
        filtered(reader, nengo.LinearFilter([1], [1, 0]), driven, voltage, late=False)
    else:
        part = dt / taus if options.euler else -np.expm1(-dt / taus)
        kept = 1 - part
        lowpass(reader, driven, voltage, taus, reader.tau_field, late=False)
        reader.add_bias(reader.per_element("v_leak", shape), driven)
        if options.whole_currents:
            gain = 1 / part
    reader.connect(receiver, driven, gain)
    neurons = reader.steps(reader.per_element("v_threshold", shape))
    reader.connect(voltage, neurons)
    # Spyx subtracts before the leak in neurons with a synapse, else after it
    first = options.reset == "subtract" or (
        options.late_spikes and reader.record.kind == "CubaLIF"
    )
    factor = kept if first else 1.0
    taken = -factor * height / part
    reader.connect(neurons, driven, taken, synapse=nengo.Lowpass(0))
    if not options.late_spikes:
        return receiver, neurons
    sender = reader.node(shape, "late")
    reader.connect(neurons, sender, synapse=nengo.Lowpass(0))
    return receiver, sender
