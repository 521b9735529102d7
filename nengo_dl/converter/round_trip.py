"""Values that a network has learned, back in the variables of its Keras model."""

from __future__ import annotations

from typing import Any

import numpy as np
from nengo.exceptions import SimulatorClosed, ValidationError

from nengo_dl.converter.conversion import Shared
from nengo_dl.graph.tensor_operator import tensor_nodes


def to_keras(shared: Shared, sim: Any) -> None:
    """Assign the weights of a simulation to Keras' variables.

    Parameters
    ----------
    shared : Shared
        What is known of a conversion.
    sim : Simulator
        A simulator of its network.

    Raises
    ------
    SimulatorClosed
        If the simulator was closed.
    ValueError
        If the network is another one, or does not have the values as they are.
    """
    if sim.closed:
        raise SimulatorClosed(
            "Cannot copy values to the Keras model: the simulator is closed. Call "
            "`converter.to_keras(sim)` within its `with` block; values that were saved "
            "come back with `sim.load_params` of another one"
        )
    if shared.folded:
        names = ", ".join(sorted(set(shared.folded.values())))
        raise ValidationError(
            f"{names} is a part of other layers' weights in the network, and cannot be "
            "told from them. Expected a conversion without inference_only=True",
            "sim",
        )
    values: dict[int, tuple[Any, np.ndarray]] = {}
    for link in shared.links:
        try:
            weights = np.asarray(sim.data[link.connection].weights)
        except KeyError as error:
            raise ValidationError(
                f"{link.connection} is not in the network of the simulator. Expected a "
                "simulator of `converter.net`",
                "sim",
            ) from error
        found = link.to_keras(weights)
        known = values.get(id(link.variable))
        if known is not None and not np.array_equal(known[1], found):
            raise ValidationError(
                f"The calls of a layer that shares {link.variable.path!r} have learned "
                "different weights (split_shared_weights=True)",
                "sim",
            )
        values[id(link.variable)] = (link.variable, found)
    for op in tensor_nodes(sim.model.operators):
        for signal, variable in zip(
            op.state.values(), op.bound.variables, strict=False
        ):
            values[id(variable)] = (variable, np.asarray(sim.signals[signal]))
    for variable, array in values.values():
        variable.assign(array.reshape(variable.shape))
