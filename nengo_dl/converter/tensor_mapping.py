"""Nengo's objects by tensors, layers and names of a Keras model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras import KerasTensor

from nengo_dl.converter.keras_graph import ModelGraph, Place, operation_of
from nengo_dl.validation import UnknownKeyError


class TensorMapping(Mapping):
    """Objects of a converted network; keys are what stands for them in Keras.

    Iteration gives tensors. A key may also be a layer, which stands for its output;
    the name of a layer; or a list, tuple or dict of one of these.

    Parameters
    ----------
    kind : str
        What the objects are, for messages: ``"input"``.
    graph : ModelGraph
        The model.
    place : Place
        The models around it, whose names may come before those of layers.
    """

    def __init__(
        self, kind: str, graph: ModelGraph, place: Place | None = None
    ) -> None:
        self._kind = kind
        self._graph = graph
        self._place = Place() if place is None else place
        #: tensors are equal to themselves alone
        self._objects: dict[KerasTensor, Any] = {}
        self._inner: list[TensorMapping] = []

    def add(self, tensor: KerasTensor, obj: Any) -> None:
        """Say which object stands for a tensor."""
        self._objects[tensor] = obj

    def add_inner(self, inner: TensorMapping) -> None:
        """Let keys that are unknown here be looked up in a model within this one."""
        self._inner.append(inner)

    def __getitem__(self, key: Any) -> Any:
        found = self._find(key)
        if len(found) == 1:
            return found[0][1]
        names = sorted({name for name, _ in found})
        if len(names) > 1:
            raise UnknownKeyError(
                f"{_words(key)} is in {len(names)} places here. Expected one of "
                f"{', '.join(map(repr, names))}",
                self._kind,
            )
        if found:
            raise UnknownKeyError(
                f"{_words(key)} has {len(found)} outputs here. Expected one of its "
                "tensors: what a call of it returned, or an element of "
                f"`list(converter.{self._kind}s)`; {self._listing()}",
                self._kind,
            )
        raise UnknownKeyError(
            f"{_words(key)} is no {self._kind} of the converted model; "
            f"{self._listing()}",
            self._kind,
        )

    def __iter__(self) -> Iterator[KerasTensor]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: Any) -> bool:
        return len(self._find(key)) == 1

    def __repr__(self) -> str:
        return f"<{self._kind}s of {self._graph.model.name!r}: {self._names()}>"

    def _find(self, key: Any) -> list[tuple[str, Any]]:
        """Return (full name, object) for all that a key stands for."""
        while isinstance(key, list | tuple | dict):
            leaves = keras.tree.flatten(key)
            if len(leaves) != 1:
                return []
            key = leaves[0]
        found = [
            (
                f"{self._place.prefix}{operation and operation.name}",
                self._objects[tensor],
            )
            for operation, tensor in self._meant(key)
            if tensor in self._objects
        ]
        return found or [pair for inner in self._inner for pair in inner._find(key)]

    def _meant(self, key: Any) -> list[tuple[Any, KerasTensor]]:
        """Return (operation, tensor) for the tensors of this model that a key means."""
        if isinstance(key, KerasTensor):
            return [(operation_of(key), key)]
        if isinstance(key, str):
            starts = {"", self._place.prefix, self._place.plain}
            names = [key.removeprefix(start) for start in starts]
            calls = [call for name in set(names) for call in self._graph.named(name)]
            if not calls:
                tensors = self._by_structure(key)
                return [(operation_of(tensor), tensor) for tensor in tensors]
        elif isinstance(key, keras.Layer | keras.Operation):
            calls = self._graph.calls_of(key)
        else:
            return []
        return [(call.operation, tensor) for call in calls for tensor in call.outputs]

    def _by_structure(self, key: str) -> list[KerasTensor]:
        """Return what a model with dicts of inputs or outputs calls by a name."""
        model = self._graph.model
        return [
            structure[key]
            for structure in (model._inputs_struct, model._outputs_struct)
            if isinstance(structure, dict) and key in structure
        ]

    def _names(self) -> str:
        names = []
        for tensor in self._objects:
            name = tensor._keras_history.operation.name
            if name not in names:
                names.append(name)
        more = len(names) - 20
        return ", ".join(names[:20]) + (f" and {more} more" if more > 0 else "")

    def _listing(self) -> str:
        return f"there are {self._names()}"


def _words(key: Any) -> str:
    if isinstance(key, KerasTensor):
        operation = operation_of(key)
        behind = f" of {operation.name!r}" if operation else ""
        return f"The tensor {key.name!r}{behind}"
    if isinstance(key, keras.Layer | keras.Operation):
        return f"The layer {key.name!r}"
    return f"{key!r:.100}"
