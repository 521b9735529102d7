"""Arguments of ``export``, checked; what is exported, and where it goes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import nengo
import numpy as np
from nengo.builder.signal import Signal
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.export import litert, onnx, saved_model, stablehlo
from nengo_dl.export.description import FILE, KIND, STATE, description
from nengo_dl.export.obstacles import obstacles, refuse_python
from nengo_dl.export.portable import Portable
from nengo_dl.export.portable_names import portable_names
from nengo_dl.graph.inputs import Source
from nengo_dl.graph.tensor_operator import tensor_nodes
from nengo_dl.inputs.endpoints import Endpoints
from nengo_dl.inputs.feed import Feed
from nengo_dl.inputs.sources import Sources
from nengo_dl.parameters.atomic_files import replacing_folder
from nengo_dl.program.built import Built
from nengo_dl.program.program import Program
from nengo_dl.simulation.store import StateStore
from nengo_dl.user_code import warn_user
from nengo_dl.validation import (
    NotPossibleError,
    flag,
    path_name,
    positive_int,
    refused,
)

FORMATS = ("saved_model", "litert", "stablehlo", "onnx")


class ExportCalls:
    """Write a network into files that need neither Nengo nor this package.

    Parameters
    ----------
    built : Built
        The built model.
    program : Program
        What the simulation runs.
    endpoints : Endpoints
        The inputs and outputs of the simulator.
    store : StateStore
        Parameters and state.
    """

    def __init__(
        self, built: Built, program: Program, endpoints: Endpoints, store: StateStore
    ) -> None:
        self._built = built
        self._program = program
        self._endpoints = endpoints
        self._store = store

    def export(
        self,
        path: str | PathLike,
        format: str,
        probes: Any,
        inputs: Any,
        n_steps: int | None,
        minibatch_size: int | None,
        weights: str,
        jit_compile: bool | None,
        seed: int,
    ) -> dict[str, Any]:
        """Write files; see `Simulator.export`.

        Parameters
        ----------
        seed : int
            Of what is random.
        """
        form = _one_of(format, FORMATS, "format")
        _check_weights(weights, form)
        if jit_compile is not None:
            jit_compile = flag(jit_compile, "jit_compile", "True, False or None")
        if form == "onnx":
            onnx.require_tf2onnx()
        target = _target(path)
        if form == "saved_model":
            _check_pattern(target)
        portable = self._portable(form, probes, inputs, n_steps, minibatch_size, seed)
        found = description(
            portable, form, weights, self._built.model.dt, portable.n_recorded
        )
        try:
            with replacing_folder(target) as folder:
                if form == "saved_model":
                    if jit_compile is None:
                        jit_compile = self._program.jit_compile
                    saved_model.write(portable, folder, json.dumps(found), jit_compile)
                elif form == "litert":
                    litert.write(portable, folder, weights == "int8")
                elif form == "stablehlo":
                    found["order"] = stablehlo.write(portable, folder)
                else:
                    onnx.write(portable, folder)
                values: dict[str, Any] = dict(portable.initial_state())
                np.savez(folder / STATE, **values)
                text = json.dumps(found, indent=1)
                (folder / FILE).write_text(text, encoding="utf-8")
        except OSError as error:
            reason = getattr(error, "strerror", None) or error
            raise SimulationError(
                f"The network cannot be written to {str(target)!r}: {reason}. What was "
                "there before has not changed. Expected a path that may be written to, "
                "on a disk with enough space"
            ) from error
        return found

    def _portable(
        self,
        form: str,
        probes: Any,
        inputs: Any,
        n_steps: int | None,
        minibatch_size: int | None,
        seed: int,
    ) -> Portable:
        """Return what is exported, if nothing prevents it."""
        if n_steps is not None:
            n_steps = positive_int(n_steps, "n_steps")
        wanted = self._chosen(probes, "probes")
        fed = self._chosen(inputs, "inputs")
        batch = self._batch(form, minibatch_size, bool(fed))
        program, model = self._program, self._built.model
        recorded = n_steps is not None
        own_items = batch == program.minibatch_size
        reasons = obstacles(
            model, program, self._store, fed, wanted, recorded, not own_items
        )
        layers = [str(op.tag) for op in tensor_nodes(model.operators)]
        if form == "litert" and program.dtype.name != "float32":
            reasons.append(
                f"the simulator: its dtype is {program.dtype.name}, and LiteRT "
                "computes in float32; make it with dtype='float32'"
            )
        if not wanted:
            reasons.append(
                "the network: it has no Probe, so there is no output"
                if probes is None
                else "`probes`: it is empty, so there would be no output; leave it out "
                "for all Probes"
            )
        if reasons:
            lines = "".join(f"\n- {reason}" for reason in reasons)
            raise NotPossibleError(
                f"The network cannot be exported with format={form!r}. What prevents "
                f"it:{lines}"
            )
        values = self._recorded(fed, n_steps, seed) if recorded else {}
        names = {obj: self._endpoints.name(obj) for obj in (*fed, *wanted)}
        carried = {
            i: "state_" + program.layout.blocks[i].key.partition("#")[0]
            for i in program.layout.carried()
        }
        counter = {-1: "state_recorded_step"} if values else {}
        state = [value.numpy() for value in self._store.fresh_state]
        if not own_items:
            state = [np.repeat(value[:1], batch or 1, axis=0) for value in state]
        portable = Portable(
            program,
            portable_names({**names, **carried, **counter}),
            tuple(value.numpy() for value in self._store.params),
            tuple(state),
            batch,
            n_steps,
            values,
        )
        if layers:
            refuse_python(portable, layers)
        return portable

    def _chosen(self, given: Any, attr: str) -> list[Any]:
        """Return the Nodes or Probes that a user means; by default all of them."""
        endpoints = self._endpoints
        side = endpoints.outputs if attr == "probes" else endpoints.inputs
        if given is None:
            return list(side.objects)
        if isinstance(given, nengo.Node | nengo.Probe | str):
            given = [given]
        if not isinstance(given, list | tuple | set | frozenset):
            raise refused(given, attr, f"a list of {side.word}s, or None for all")
        found = {side.find(key, attr) for key in given}
        return [obj for obj in side.objects if obj in found]

    def _batch(self, form: str, given: int | None, any_fed: bool) -> int | None:
        """Return the size of minibatches; None: any."""
        own = self._program.minibatch_size
        fixed = bool(tensor_nodes(self._built.model.operators))
        if given is not None:
            given = positive_int(given, "minibatch_size")
            if fixed and given != own:
                raise ValidationError(
                    f"The TensorNodes of this simulator were built for {own} item(s), "
                    f"got minibatch_size={given}; expected {own}, or a Simulator with "
                    f"minibatch_size={given}",
                    attr="minibatch_size",
                )
            return given
        if fixed and form != "stablehlo" and any_fed:
            warn_user(
                f"The exported functions compute exactly {own} item(s) in each call, "
                "the number for which the TensorNodes were built. For another number "
                "make a Simulator with another minibatch_size; `export(..., "
                f"minibatch_size={own})` exports without this warning"
            )
        return own if fixed or form == "stablehlo" or not any_fed else None

    def _recorded(
        self, fed: Sequence[nengo.Node], n_steps: int | None, seed: int
    ) -> dict[Signal, np.ndarray]:
        """Return what functions of time, Processes and random numbers are, by step."""
        program, built = self._program, self._built
        items = [
            item
            for item in program.inputs
            if item.lifted
            and item.source is not Source.CONSTANT
            and item.node not in fed
            and item.signal in program.layout.places
        ]
        if not items or n_steps is None:
            return {}
        dtype = program.dtype.as_numpy_dtype
        feed = Feed(
            Sources(
                program.inputs, program.lowerings, built.order, built.model.dt, 1, dtype
            )
        )
        feed.sources.rewind(seed)
        arrays = [np.zeros((1, n_steps, 1, i.signal.size), dtype) for i in items]
        presented = dict.fromkeys(fed, np.zeros(0))
        _, error = feed.fill(
            list(zip(items, arrays, strict=True)), n_steps, 1, presented, 0, 0
        )
        if error is not None:
            raise error
        return {
            item.signal: array[0, :, 0]
            for item, array in zip(items, arrays, strict=True)
        }


def _one_of(value: Any, choices: Sequence[str], name: str) -> str:
    if not isinstance(value, str) or value not in choices:
        raise refused(value, name, " or ".join(map(repr, choices)))
    return value


def _check_weights(weights: Any, form: str) -> None:
    _one_of(weights, ("float32", "int8"), "weights")
    if weights == "int8" and form != "litert":
        raise ValidationError(
            f"Weights of 8 bits are possible with format='litert', got format={form!r}",
            attr="weights",
        )


def _target(path: Any) -> Path:
    """Return the folder to write, if it may be written or replaced."""
    target = Path(path_name(path, "path", "the name of a folder"))
    if not target.name:
        raise refused(path, "path", "the name of a folder to be made")
    target = Path(os.path.realpath(target))
    if not target.parent.is_dir():
        raise ValidationError(
            f"There is no folder {str(target.parent)!r} to write {target.name!r} into",
            attr="path",
        )
    if not os.path.lexists(target):
        return target
    if not target.is_dir():
        raise ValidationError(
            f"{str(target)!r} is a file; expected the name of a folder, which will "
            "hold several files",
            attr="path",
        )
    names = [entry.name for entry in target.iterdir()]
    others = sorted({*names} - _WRITTEN) if _is_export(target) else names
    if others:
        raise ValidationError(
            f"The folder {str(target)!r} holds something else than an exported "
            f"network, {others[0]!r} for example, and would be replaced; expected a "
            "folder that does not exist, is empty, or was written by `sim.export`",
            attr="path",
        )
    return target


def _check_pattern(target: Path) -> None:
    """Refuse a path in which TensorFlow sees a pattern when it loads a SavedModel."""
    if re.search(r"\[.*\]|\\", str(target)):
        raise ValidationError(
            f"TensorFlow could not load a SavedModel from {str(target)!r}: it takes "
            "'[', ']' and '\\' for a pattern. Expected a path without them",
            attr="path",
        )


#: all that exports write, and TensorFlow into a SavedModel
_WRITTEN = frozenset(
    {FILE, STATE, "model.tflite", "assets", "variables", "saved_model.pb"}
    | {"fingerprint.pb", "run.onnx", "step.onnx", "run.mlir", "step.mlir"}
)


def _is_export(folder: Path) -> bool:
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND
