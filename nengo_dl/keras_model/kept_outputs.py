"""What `predict` returns: outputs of all minibatches, in memory or where users say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nengo_dl.simulation.out_arrays import check_form, write
from nengo_dl.user_code import warn_user


class KeptOutputs:
    """Keep the outputs of one minibatch after the other.

    Parameters
    ----------
    out : mapping of str to object, or None
        Arrays to write into, by name of the Probe, for those that matter; None: outputs
        of all are kept in memory.
    """

    def __init__(self, out: Mapping[str, Any] | None) -> None:
        self._out = out
        self._n_minibatches = 1
        self._n_items = 0
        self._whole: dict[str, np.ndarray] = {}
        self._parts: dict[str, list[np.ndarray]] = {}

    def expect(self, n_minibatches: int | None) -> None:
        """Say how many minibatches there will be, if that is known."""
        self._n_minibatches = n_minibatches or 1

    def add(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Keep the outputs of a minibatch.

        Parameters
        ----------
        outputs : mapping of str to np.ndarray, shape (minibatch_size, n_steps, ...)
            Those of all Probes, by name.

        Raises
        ------
        ValidationError
            If they do not fit into the array that they are to be written into.
        """
        size = len(next(iter(outputs.values())))
        stop = self._n_items + size
        if self._out is None:
            for name, values in outputs.items():
                self._keep(name, values, stop)
        else:
            for name, target in self._out.items():
                values = outputs[name]
                n_items = max(stop, self._n_minibatches * size)
                check_form(name, target, (n_items, *values.shape[1:]), values.dtype)
            for name, target in self._out.items():
                write(target, slice(self._n_items, stop), outputs[name])
        self._n_items = stop

    def _keep(self, name: str, values: np.ndarray, stop: int) -> None:
        if self._n_items == 0:
            shape = (self._n_minibatches * stop, *values.shape[1:])
            self._whole[name] = np.empty(shape, values.dtype)
        whole = self._whole.get(name)
        if whole is not None:
            if whole.shape[1:] == values.shape[1:] and stop <= len(whole):
                whole[self._n_items : stop] = values
                return
            # there are more than was said, or they have other numbers of steps
            self._parts[name] = [self._whole.pop(name)[: self._n_items]]
        self._parts.setdefault(name, []).append(values)

    def result(self) -> dict[str, Any]:
        """Return the outputs of all items.

        Returns
        -------
        dict of {str: np.ndarray}, shape (n_items, n_steps, *shape)
            If minibatches have different numbers of steps, arrays of objects, shape
            (n_items,): the outputs for each item, shape (n_steps, *shape). Where there
            are arrays to write into, these.

        Warns
        -----
        NengoWarning
            If such an array has more rows than were written.
        """
        if self._out is None:
            joined = {name: _joined(parts) for name, parts in self._parts.items()}
            whole = {p: array[: self._n_items] for p, array in self._whole.items()}
            return {**whole, **joined}
        for name, target in self._out.items():
            if target.shape[0] > self._n_items:
                warn_user(
                    f"The array for {name} has {target.shape[0]} rows; "
                    f"{self._n_items} items were written, and the rest is as it was"
                )
        return dict(self._out)


def _joined(outputs: list[np.ndarray]) -> np.ndarray:
    """Return the outputs for the items of all minibatches as one array."""
    if len({array.shape[1:] for array in outputs}) == 1:
        return np.concatenate(outputs)
    items = [item for array in outputs for item in array]
    joined = np.empty(len(items), object)
    joined[:] = items
    return joined
