"""Running a model on minibatches, for whatever may be computed from its outputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.display.profiling import profiling
from nengo_dl.inputs import checks, endpoints
from nengo_dl.interface.training import Training
from nengo_dl.training.run_batch import Batches, combined, resolve


class MinibatchRunning(Training):
    """Run a model on minibatches; see `nengo_dl.Simulator`."""

    def run_batch(
        self,
        data: Any,
        outputs: dict[Any, Any],
        extra_feeds: None = None,
        extra_fetches: None = None,
        n_epochs: int = 1,
        truncation: int | None = None,
        shuffle: bool = False,
        profile: str | None = None,
        training: bool = False,
        callback: Callable[[dict, None], Any] | None = None,
        combine: Callable[[list], Any] = np.stack,
        isolate_state: bool = True,
    ) -> dict[Any, Any]:
        """Present data, minibatch by minibatch, and compute something from the outputs.

        Parameters
        ----------
        data : dict of {Node or Probe: array}, shape (n_items, n_steps, size)
            As for `train`. A number instead of a dict: that many steps, and no data.
        outputs : dict of {Probe or tuple of Probe: callable or None}
            What to compute of each minibatch: ``f(outputs)`` or ``f(outputs, targets)``
            of tensors of shape (minibatch_size, n_steps, size), or of lists of them if
            the key is a tuple; it returns a tensor, or a tuple of them. None: the
            outputs themselves.
        extra_feeds, extra_fetches : None
            Belonged to TensorFlow 1, and have no meaning today.
        n_epochs : int, optional
            How often each item is presented.
        truncation : int, optional
            Present items in parts of so many steps, one after the other; something is
            computed from each part. Needs less memory.
        shuffle : bool, optional
            Whether items come in another order in each epoch.
        profile : str, optional
            Write a profile that TensorBoard shows, into this directory.
        training : bool, optional
            Run the network as it is during training, with rates in the place of spikes.
        callback : callable, optional
            ``callback(values, None)`` is called after each minibatch, or part of one,
            with what was computed from it.
        combine : callable, optional
            Makes one value of the list of those of all minibatches. Members of tuples
            are combined separately.
        isolate_state : bool, optional
            Whether each minibatch starts in the initial state, and the state of the
            simulation does not change (default). If False, the first minibatch starts
            where the simulation is, each of the others where the one before it ended,
            and the simulation goes on from the last.

        Returns
        -------
        dict
            What was combined, by the keys of ``outputs``.

        Raises
        ------
        SimulatorClosed
            If the simulator was closed.
        ValidationError
            If an argument does not fit.

        Examples
        --------
        >>> import nengo, nengo_dl, numpy as np, tensorflow as tf
        >>> with nengo.Network(seed=0) as net:
        ...     node = nengo.Node([0])
        ...     probe = nengo.Probe(node)
        >>> x = np.ones((6, 10, 1))
        >>> with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        ...     means = sim.run_batch({node: x}, {probe: tf.reduce_mean})
        >>> means[probe].shape
        (3,)
        """
        self._check_open("run minibatches")
        for name, given in (
            ("extra_feeds", extra_feeds),
            ("extra_fetches", extra_fetches),
        ):
            if given:
                raise ValidationError(
                    "There is no TensorFlow session today. Present values of Nodes in "
                    "`data`, and compute what you want in the functions of `outputs`",
                    attr=name,
                )
        inputs, targets, n_steps = self._endpoints.split(data)
        arrays = self._endpoints.check(
            inputs, targets, n_steps, any_size=tuple(targets or ())
        )
        wanted = resolve(outputs, self._endpoints, arrays.targets)
        truncation = endpoints.check_truncation(truncation, arrays.n_steps)
        orders = [np.arange(arrays.n_items)] * checks.positive_int(n_epochs, "n_epochs")
        if shuffle:
            rng = np.random.RandomState(self._trainer.new_seed())
            orders = [rng.permutation(order) for order in orders]
        found = []
        with profiling(profile):
            for values in self._batches.run(
                arrays,
                wanted,
                orders,
                truncation,
                training,
                isolate_state,
                self.seed,
            ):
                if callback is not None:
                    callback(values, None)
                found.append(values)
        return combined(found, combine)

    @cached_property
    def _batches(self) -> Batches:
        return Batches(self._trainer.functions, self._runner, self._program)
