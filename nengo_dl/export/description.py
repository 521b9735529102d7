"""What a reader of exported files has to know: names, shapes, units, time."""

from __future__ import annotations

from typing import Any

import nengo

from nengo_dl.export.portable import Portable
from nengo_dl.version import version

#: the file beside the others, and what it says of itself
FILE, KIND = "metadata.json", "a network exported by nengo_dl"

#: the file with the state at the beginning of a simulation
STATE = "initial_state.npz"


def description(
    portable: Portable, form: str, weights: str, dt: float, n_recorded: int | None
) -> dict[str, Any]:
    """Return names, shapes and units of all that goes in and out, as plain values.

    Parameters
    ----------
    portable : Portable
        The network.
    form : str
        The format.
    weights : str
        Type of the weights.
    dt : float
        Length of a time step (s).
    n_recorded : int or None
        How many values were recorded of what Python computes.
    """
    batch, n_steps = portable.minibatch_size, portable.n_steps
    inputs = [
        {
            "name": portable.names[node],
            "object": str(node),
            "shape": [batch, n_steps, node.size_out],
        }
        for node in portable.nodes
    ]
    outputs = [
        {
            "name": portable.names[recording.probe],
            "object": str(recording.probe),
            "shape": [
                batch,
                n_steps if recording.keep_history else 1,
                *recording.view.shape,
            ],
            "unit": unit(recording.probe),
        }
        for recording in portable.recordings
    ]
    state = [
        {
            "name": name,
            "next": name if form != "onnx" else f"{name}_next",
            "shape": [batch, value.shape[1]],
            "dtype": value.dtype.name,
        }
        for name, value in portable.initial_state().items()
    ]
    return {
        "kind": KIND,
        "format": form,
        "nengo_dl": version,
        "dt": dt,
        "dtype": portable.dtype.name,
        "weights": weights,
        "minibatch_size": batch,
        "n_steps": n_steps,
        "recorded_steps": n_recorded,
        "axes": "run: items, time steps, values; step: items, values",
        "inputs": inputs,
        "outputs": outputs,
        "state": state,
    }


def unit(probe: nengo.Probe) -> str:
    """Return the unit of what a Probe sees; empty for what has none."""
    neurons = isinstance(probe.obj, nengo.ensemble.Neurons)
    if neurons and probe.attr == "output":
        neuron_type = probe.obj.ensemble.neuron_type
        amplitude = getattr(neuron_type, "amplitude", 1)
        times = "" if amplitude == 1 else f" times an amplitude of {amplitude:g}"
        spike = f"; a spike is {amplitude:g} / dt for one step"
        return f"Hz{times}{spike if neuron_type.spiking else ''}"
    return "s" if probe.attr == "refractory_time" else ""
