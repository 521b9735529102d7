"""Arguments of ``save_params``, ``load_params``, ``freeze_params``, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from os import PathLike
from typing import Any

from nengo.builder import Model
from nengo.builder.signal import Signal
from nengo.exceptions import ValidationError

from nengo_dl.distribution.workers import Workers
from nengo_dl.parameters import file_format, freezing
from nengo_dl.parameters.file_format import Content
from nengo_dl.parameters.saving import Parts, Saving
from nengo_dl.program.program import Program
from nengo_dl.simulation.runner import Runner
from nengo_dl.training.trainer import Trainer
from nengo_dl.validation import flags


class ParameterCalls:
    """Take parameters from a simulation, or give it some.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    program : Program
        The simulation.
    runner : Runner
        Its values.
    trainable : mapping of {Signal: bool}
        The parameters, and which of them an optimizer may change.
    workers : Workers
        The processes that have the same parameters; one of them writes files.
    """

    def __init__(
        self,
        model: Model,
        program: Program,
        runner: Runner,
        trainable: Mapping[Signal, bool],
        workers: Workers,
    ) -> None:
        self._workers = workers
        self._model = model
        self._program = program
        self._runner = runner
        self._trainable = trainable

    def save(
        self,
        path: str | PathLike,
        params: bool,
        state: bool,
        optimizer: Any,
        trainer: Callable[[], Trainer],
        seed: int,
    ) -> None:
        """Write values into a file; see `Simulator.save_params`.

        Parameters
        ----------
        trainer : callable
            Returns what trains, with its optimizers and the random numbers of training,
            which are saved with an optimizer. Called only where there is one.
        seed : int
            The seed of the simulation.
        """
        parts = self._parts(params, state, optimizer, trainer)
        content = self._saving.content(parts, seed)
        if parts.optimizer is not None:
            facts = {**content.facts, "training": trainer().progress}
            content = Content(content.arrays, facts)
        self._workers.by_chief(lambda: file_format.write(path, content))

    def load(
        self,
        path: str | PathLike,
        params: bool,
        state: bool,
        optimizer: Any,
        trainer: Callable[[], Trainer],
    ) -> int | None:
        """Read values from a file; see `Simulator.load_params`, and `save`.

        Returns
        -------
        int or None
            The seed of the simulation that was saved, if its state was loaded.
        """
        parts = self._parts(params, state, optimizer, trainer)
        content = file_format.read(path)
        if parts.optimizer is None or "training" not in content.facts:
            return self._saving.load(content, parts)
        before = trainer().progress
        trainer().go_on(content.facts["training"])
        try:
            return self._saving.load(content, parts)
        except BaseException:
            trainer().go_on(before)
            raise

    def freeze(self, objs: Any) -> None:
        """Write parameters into a network; see `Simulator.freeze_params`."""
        freezing.freeze(self._model, self._runner.store, objs)

    def arguments(self, objs: Any, as_dict: bool) -> Any:
        """Return arguments of Nengo's objects; see `Simulator.get_nengo_params`."""
        return freezing.params(self._model, self._runner.store, objs, as_dict)

    @cached_property
    def _saving(self) -> Saving:
        return Saving(self._model, self._program, self._runner)

    def _parts(
        self, params: bool, state: bool, optimizer: Any, trainer: Callable[[], Trainer]
    ) -> Parts:
        """Check which parts are to be saved or loaded, and return them."""
        params, state = flags(include_params=params, include_state=state)
        if not params and not state and optimizer is None:
            raise ValidationError(
                "Neither parameters nor state nor an optimizer: there is nothing to "
                "do. Expected at least one of them",
                attr="include_params",
            )
        if optimizer is None:
            return Parts(params, state)
        if isinstance(optimizer, str):
            raise ValidationError(
                f"A name such as {optimizer!r} stands for a new optimizer in each "
                "call, which remembers nothing. Expected the optimizer that was given "
                "to `train` or `compile`",
                attr="optimizer",
            )
        if not any(self._trainable.values()):
            raise ValidationError(
                "Nothing in the network is trainable, so an optimizer has nothing to "
                "remember. Expected `configure_settings(trainable=True, "
                "inference_only=False)`; or leave `optimizer` out",
                attr="optimizer",
            )
        return Parts(params, state, trainer().optimizer(optimizer))
