"""Connections, drawn at random."""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np

from tests.random_networks import parts
from tests.random_networks.draw import call
from tests.random_networks.objects import End, Objects
from tests.random_networks.slices import part
from tests.random_networks.transforms import convolution, transform
from tests.random_networks.writer import Writer

#: typical output of neurons (Hz), which transforms scale down
RATE = 200.0


class Connections:
    """Adds connections to a program.

    Parameters
    ----------
    writer : Writer
        Who writes the program.
    objects : Objects
        What there is to connect.

    Attributes
    ----------
    synapses : list of str
        Those that this network has.
    names : list of str
        All connections so far.
    """

    def __init__(self, writer: Writer, objects: Objects) -> None:
        self._writer = writer
        self._draw = writer.draw
        self._objects = objects
        self.synapses = [parts.synapse(writer.draw) for _ in range(3)]
        self.names: list[str] = []

    def add(self, pre: str, post: str, **options: Any) -> str:
        """Add a connection and return its name."""
        text = call("nengo.Connection", pre, post, **options)
        self.names.append(self._writer.say("conn", text))
        return self.names[-1]

    def connect(self, source: End | None = None) -> None:
        """Connect two objects, or parts of them, if there is a transform that fits."""
        draw, objects, ask = self._draw, self._objects, self._writer.ask
        source = draw.one_of(objects.sources) if source is None else source
        target = draw.one_of(objects.targets)
        pre, pre_repeats = self.pre(source)
        post, post_repeats = self.post(target)
        options, mid = self._function(source, pre)
        if self._solves_for_weights(source, target):
            options["solver"] = "nengo.solvers.LstsqL2(weights=True)"
        size = ask(post).size_in
        if mid != size or draw.flip(0.8):
            scale = 0.5 / RATE if source.neurons else 0.8
            repeats = pre_repeats or post_repeats
            text = transform(draw, size, mid, scale, repeats, not source.decoded)
            if text is None:
                return
            options["transform"] = text
        if draw.flip(0.1):
            options["seed"] = draw.integer(0, 99)
        self.add(pre, post, synapse=self.synapse(source, target), **options)

    def _function(self, source: End, pre: str) -> tuple[dict[str, Any], int]:
        """Return the arguments that give a function, or none, and its output's size."""
        draw, ask = self._draw, self._writer.ask
        size = ask(pre).size_out
        if source.function and draw.flip(0.35):
            function = draw.one_of(parts.FUNCTIONS)
            return {"function": function}, np.size(ask(function)(np.zeros(size)))
        if source.decoded and pre == source.text and draw.flip(0.1):
            # known at some points only
            points, values = draw.values(1, 30, size), draw.values(1, 30, 2)
            return {"eval_points": points, "function": values}, 2
        return {}, size

    def _solves_for_weights(self, source: End, target: End) -> bool:
        """Whether the solver finds weights between neurons, where there are some."""
        if not source.decoded or target.text not in self._objects.ensembles:
            return False
        neuron_type = self._writer.ask(target.text).neuron_type
        return not isinstance(neuron_type, nengo.Direct) and self._draw.flip(0.15)

    def convolve(self) -> None:
        """Connect two objects through a convolution."""
        draw, objects, ask = self._draw, self._objects, self._writer.ask
        if draw.flip(0.5):
            source = objects.input_node(draw.one_of([12, 16, 18]))
            pre = source.text
        else:
            source = draw.one_of([end for end in objects.sources if not end.decoded])
            pre, _ = self.pre(source)
        scale = 0.3 / RATE if source.neurons else 0.3
        text = convolution(draw, ask(pre).size_out, scale)
        size = ask(text).size_out
        fitting = [end for end in objects.targets if ask(end.text).size_in >= size]
        if not fitting or draw.flip(0.3):
            fitting = [objects.passthrough(size)]
        target = draw.one_of(fitting)
        post = target.text
        if ask(post).size_in > size:
            post = f"{post}[:{size}]" if draw.flip(0.5) else f"{post}[-{size}:]"
        self.add(pre, post, transform=text, synapse=self.synapse(source, target))

    def synapse(self, source: End, target: End) -> str:
        """Return a synapse, or none where that makes no cycle."""
        if source.place < target.place and self._draw.flip(0.3):
            return "None"
        return self._draw.one_of(self.synapses)

    def pre(self, end: End) -> tuple[str, bool]:
        """Return the source of a connection, see `part`."""
        return part(self._draw, end.text, self._writer.ask(end.text).size_out)

    def post(self, end: End) -> tuple[str, bool]:
        """Return the target of a connection, see `part`."""
        return part(self._draw, end.text, self._writer.ask(end.text).size_in)
