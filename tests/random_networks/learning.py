"""Connections with learning rules, drawn at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.random_networks.draw import Draw, call

if TYPE_CHECKING:
    from tests.random_networks.generator import End, Generator


def pes(draw: Draw) -> str:
    """Return a PES rule."""
    return _rule(draw, "nengo.PES", (1e-5, 3e-4), "pre_synapse")


def rls(draw: Draw) -> str:
    """Return an RLS rule."""
    return _rule(draw, "nengo.RLS", (1e-4, 1e-2), "pre_synapse")


def voja(draw: Draw) -> str:
    """Return a Voja rule."""
    return _rule(draw, "nengo.Voja", (1e-3, 3e-2), "post_synapse")


def bcm(draw: Draw) -> str:
    """Return a BCM rule."""
    synapses = ("pre_synapse", "post_synapse", "theta_synapse")
    return _rule(draw, "nengo.BCM", (1e-11, 1e-9), *synapses)


def oja(draw: Draw) -> str:
    """Return an Oja rule."""
    return _rule(draw, "nengo.Oja", (1e-7, 2e-6), "pre_synapse", "post_synapse")


def _rule(draw: Draw, name: str, rate: tuple[float, float], *synapses: str) -> str:
    options = {s: _synapse(draw) for s in synapses if draw.flip(0.3)}
    return call(name, draw.number(*rate), **options)


def _synapse(draw: Draw) -> str:
    return draw.one_of(["None", "0.01", "nengo.Alpha(0.005)", "nengo.Lowpass(0.02)"])


class Learning:
    """Adds connections that learn to the program of a generator."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._draw = generator.draw

    def rule(self) -> None:
        """Add a connection with one learning rule or several."""
        kinds = [self._decoders, self._decoders, self._encoders, self._weights]
        self._draw.one_of([*kinds, self._from_neurons])()

    def _decoders(self) -> None:
        """Learn decoders, and perhaps the encoders at the other end as well."""
        draw, generator = self._draw, self._generator
        source = self._pick(generator.sources, decoded=True)
        target = self._pick(generator.targets)
        if source is None or target is None:
            return
        (pre, repeats_in), (post, repeats_out) = (
            generator.pre(source),
            generator.post(target),
        )
        repeats = repeats_in or repeats_out
        rules = [draw.one_of([pes, rls])(draw)]
        if target.neurons:
            # the error is encoded for each neuron, which RLS does not do
            post, rules = target.text, [pes(draw)]
        if self._has_neurons(target) and draw.flip(0.3):
            rules.append(voja(draw))
        elif draw.flip(0.1):
            rules.append(pes(draw))
        size, columns = generator.ask(post).size_in, generator.ask(pre).size_out
        if size == columns and draw.flip(0.5):
            transform = "0.7"
        else:
            if repeats:  # Nengo allows no matrix then
                pre, post = source.text, target.text
                size = generator.ask(post).size_in
                columns = generator.ask(pre).size_out
            transform = draw.values(0.5, size, columns)
        self._connect(source, target, pre, post, transform, rules)

    def _encoders(self) -> None:
        """Learn the encoders of an ensemble."""
        generator = self._generator
        source = self._pick(generator.sources)
        targets = [end for end in generator.targets if self._has_neurons(end)]
        if source is None or not targets:
            return
        target = self._draw.one_of(targets)
        scale = 0.002 if source.neurons else 0.5
        shape = [generator.ask(end.text).size_out for end in (target, source)]
        transform = self._draw.values(scale, *shape)
        rules = [voja(self._draw)]
        self._connect(source, target, source.text, target.text, transform, rules)

    def _weights(self) -> None:
        """Learn weights between neurons."""
        draw, generator = self._draw, self._generator
        ends = [end for end in generator.targets if self._has_neurons(end)]
        if not ends:
            return
        source, target = draw.one_of(ends), draw.one_of(ends)
        rules = [
            rule(draw) for rule in draw.some_of([bcm, oja, pes], draw.integer(1, 2))
        ]
        ask = generator.ask
        if draw.flip(0.5):
            shape = (ask(target.text).size_in, ask(source.text).size_out)
            transform = draw.values(0.5, *shape)
            solver = "nengo.solvers.LstsqL2(weights=True)"
            pre, post = source.text, target.text
            self._connect(source, target, pre, post, transform, rules, solver=solver)
            return
        pre, post = f"{source.text}.neurons", f"{target.text}.neurons"
        transform = draw.values(0.002, ask(post).size_in, ask(pre).size_out)
        self._connect(source, target, pre, post, transform, rules)

    def _from_neurons(self) -> None:
        """Learn what neurons send to something without neurons."""
        draw, generator = self._draw, self._generator
        source = self._pick(generator.sources, neurons=True)
        targets = [end for end in generator.targets if not end.neurons]
        if source is None or not source.text.endswith(".neurons") or not targets:
            return
        target = draw.one_of(targets)
        rule = draw.one_of([pes, rls])
        pre, repeats = generator.pre(source)
        if rule is rls or repeats:
            pre = source.text
        ask = generator.ask
        transform = draw.values(0.002, ask(target.text).size_in, ask(pre).size_out)
        self._connect(source, target, pre, target.text, transform, [rule(draw)])

    def _connect(
        self,
        source: End,
        target: End,
        pre: str,
        post: str,
        transform: str,
        rules: list[str],
        **options: str,
    ) -> None:
        """Add the connection, what its rules are told, and probes of them."""
        draw, generator = self._draw, self._generator
        name, learned = self._named(rules)
        connection = generator.say(
            "conn",
            call(
                "nengo.Connection",
                pre,
                post,
                transform=transform,
                synapse=generator.synapse(source, target),
                learning_rule_type=learned,
                **options,
            ),
        )
        generator.connections.append(connection)
        for key in name:
            rule = f"{connection}.learning_rule{key}"
            size = generator.ask(rule).size_in
            if size and draw.flip(0.8):
                self._tell(rule, size)
            for attribute in generator.ask(rule).probeable:
                if draw.flip(0.4):
                    generator.probe(rule, attribute)

    def _named(self, rules: list[str]) -> tuple[list[str], str]:
        """Return how to get at each rule, and the rules as a connection takes them."""
        if len(rules) == 1 and self._draw.flip(0.7):
            return [""], rules[0]
        if self._draw.flip(0.5):
            return [f"[{i}]" for i in range(len(rules))], f"[{', '.join(rules)}]"
        keys = [f"rule {i}" for i in range(len(rules))]
        pairs = ", ".join(f"{k!r}: {r}" for k, r in zip(keys, rules, strict=True))
        return [f"[{key!r}]" for key in keys], f"{{{pairs}}}"

    def _tell(self, rule: str, size: int) -> None:
        """Connect something to a rule: an error, or how fast it shall learn."""
        generator = self._generator
        source = self._draw.one_of(generator.sources)
        columns = generator.ask(source.text).size_out
        transform = self._draw.values(0.002 if source.neurons else 0.5, size, columns)
        synapse = self._draw.one_of(["None", "0.005", "nengo.Alpha(0.01)"])
        options = {"transform": transform, "synapse": synapse}
        connection = call("nengo.Connection", source.text, rule, **options)
        generator.connections.append(generator.say("conn", connection))

    def _pick(self, ends: list[End], **wanted: bool) -> End | None:
        fitting = [
            e for e in ends if all(getattr(e, k) == v for k, v in wanted.items())
        ]
        return self._draw.one_of(fitting) if fitting else None

    def _has_neurons(self, end: End) -> bool:
        """Whether it is an ensemble with neurons."""
        if end.text not in self._generator.ensembles:
            return False
        return bool(self._generator.ask(f"{end.text}.neurons").size_out)
