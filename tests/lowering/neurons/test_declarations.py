"""What a neuron type declares: rates, a surrogate, draws; and where it is declared."""

import ast
import dataclasses
from pathlib import Path
from typing import ClassVar

import nengo
import numpy as np
import pytest
from nengo.builder.neurons import SimNeurons
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError, NengoWarning, SimulationError, ValidationError

import nengo_dl
from nengo_dl.graph.draws import DrawnNeurons
from nengo_dl.graph.surrogate_neurons import (
    RateGradientNeurons,
    SurrogateNeurons,
    with_surrogates,
)
from nengo_dl.lowering import (
    Draws,
    LowerDrawnNeurons,
    LowerNeurons,
    LowerSurrogateNeurons,
    register,
    register_draws,
    register_rates,
    register_surrogate,
    registry,
)
from nengo_dl.lowering.neurons import rate_equivalents
from nengo_dl.lowering.neurons.lif import LowerLIF, LowerSurrogateLIF
from nengo_dl.lowering.neurons.rate_equivalents import rate_equivalent
from nengo_dl.lowering.neurons.stochastic import LowerStochasticSpiking
from nengo_dl.lowering.neurons.surrogate import has_surrogate
from nengo_dl.surrogates import Arctan
from tests.lowering.one_group import lowered

ROOT = Path(nengo_dl.__file__).parent


@pytest.fixture(autouse=True)
def own_tables(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry, "_LOWERINGS", dict(registry._LOWERINGS))
    monkeypatch.setattr(rate_equivalents, "_RATES", dict(rate_equivalents._RATES))


class MyLIF(nengo.LIF):
    """Of another package."""


def operator(neurons, *state):
    signals = [Signal(np.zeros(3), name=name) for name in ("J", "output", *state)]
    return SimNeurons(neurons, *signals[:2], dict(zip(state, signals[2:], strict=True)))


def lif_operator(neurons):
    return operator(neurons, "voltage", "refractory_time")


# -- what is wrong to register


@pytest.mark.parametrize(
    "decorator", [register_rates, register_surrogate, register_draws]
)
@pytest.mark.parametrize("wrong", [3, nengo.LIF(), dict, lambda neurons: None])
def test_only_for_classes_of_neurons(decorator, wrong):
    with pytest.raises(ValidationError) as error:
        decorator(wrong)
    assert f"`@{decorator.__name__}(MyNeuronType)`; got {wrong!r}" in str(error.value)


@pytest.mark.parametrize(
    "decorator, wrong, match",
    [
        (register_rates, nengo.LIFRate, r"Expected a function of .*got <class"),
        (register_rates, nengo.LIFRate(), r"Expected a function of .*got LIFRate"),
        (register_surrogate, LowerLIF, r"LowerSurrogateNeurons, got .*LowerLIF"),
        (register_surrogate, Arctan(), r"LowerSurrogateNeurons, got Arctan"),
        (register_draws, LowerLIF, r"LowerDrawnNeurons, got .*LowerLIF"),
        (
            register_draws,
            type("Silent", (LowerDrawnNeurons,), {}),
            r"`draws\(cls, op\)`.*Silent has none",
        ),
    ],
)
def test_only_what_says_what_is_asked(decorator, wrong, match):
    with pytest.raises(ValidationError, match=match):
        decorator(MyLIF)(wrong)
    assert rate_equivalent(MyLIF()) is None
    assert not has_surrogate(MyLIF())


@pytest.mark.parametrize(
    "decorator, former, new, message",
    [
        (
            register_rates,
            lambda neurons, smoothing: nengo.LIFRate(),
            rate_equivalents.given_rates,
            "given_rates replaces .* as the rates of MyLIF",
        ),
        (
            register_surrogate,
            LowerSurrogateLIF,
            type("Other", (LowerSurrogateLIF,), {}),
            "Other replaces .*LowerSurrogateLIF .*lowering of SurrogateNeurons.MyLIF",
        ),
        (
            register_draws,
            LowerStochasticSpiking,
            type("Other", (LowerStochasticSpiking,), {}),
            "Other replaces .*LowerStochasticSpiking .*of DrawnNeurons.MyLIF",
        ),
    ],
)
def test_what_is_replaced_is_named_and_the_last_one_counts(
    decorator, former, new, message, recwarn
):
    for _ in range(2):  # as a module that is reloaded
        assert decorator(MyLIF)(former) is former
    assert not [w for w in recwarn if issubclass(w.category, NengoWarning)]
    with pytest.warns(NengoWarning, match=message) as caught:
        decorator(MyLIF)(new)
    assert caught[0].filename == __file__
    tables = {**registry._LOWERINGS, None: rate_equivalents._RATES.get(MyLIF)}
    key = {
        register_rates: None,
        register_surrogate: (SurrogateNeurons, MyLIF),
        register_draws: (DrawnNeurons, MyLIF),
    }[decorator]
    assert tables[key] is new


@pytest.mark.parametrize(
    "rates, match",
    [
        (nengo.LIFRate, r"rates of MyLIF\(\) returned <class"),
        (None, r"rates of MyLIF\(\) returned None; expected an instance"),
        (nengo.AdaptiveLIFRate(), r"has the state adaptation, which MyLIF has not"),
    ],
)
def test_rates_that_cannot_take_the_place(rates, match):
    register_rates(MyLIF)(lambda neurons, smoothing: rates)
    with pytest.raises(BuildError, match=match):
        rate_equivalent(MyLIF())


class Noise(nengo.RectifiedLinear):
    """Adds random numbers to its output; counts its steps."""

    state: ClassVar = {"steps": nengo.dists.Choice([0])}

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        return {**super().make_state(n_neurons, rng=rng, dtype=dtype), "rng": rng}

    def step(self, dt, J, output, steps, rng):
        steps += 1
        output[...] = self.amplitude * J + rng.random_sample(J.shape)


class LowerNoise(LowerDrawnNeurons):
    parameters = ("amplitude",)
    state_names = ("steps",)

    @classmethod
    def draws(cls, op):
        def sample(rng, n_steps):
            return rng.random_sample((n_steps, *op.J.shape))

        return Draws(op.state_extra["rng"], op.J.shape, sample, nengo=True)

    def step(self, j, random, steps):
        return self.amplitude * j + random, steps + 1


class OnlyLower(LowerNeurons):
    state_names = ("steps",)

    def step(self, j, steps):
        return j, steps


def changed(base, **attributes):
    """Return a class that is called Mine, with other attributes."""
    return type("Mine", (base,), attributes)


def simulate(neuron_type):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ensemble = nengo.Ensemble(5, 1, neuron_type=neuron_type, gain=[1] * 5)
        ensemble.bias = np.zeros(5)
        nengo.Probe(ensemble.neurons)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(3)


@pytest.mark.parametrize(
    "step",
    [
        lambda self, j, steps, random: (j, steps),
        lambda self, j, steps, u: (j, steps),
        lambda self, j, u, random: (j, u),
        lambda self, random, j, steps: (j, steps),
        lambda self, j, random: (j,),
        lambda self, j, random, steps, more: (j, steps),
    ],
)
def test_arguments_of_step_are_in_their_order(step):
    with pytest.raises(ValidationError) as error:
        register_draws(Noise)(changed(LowerNoise, step=step))
    message = str(error.value)
    assert "Mine.step is defined as `step(self, " in message
    assert "expected `step(self, j, random, steps)`: the input currents, the" in message
    assert registry.registered(DrawnNeurons, Noise) is None


@pytest.mark.parametrize(
    "step",
    [
        lambda self, currents, u, n: (currents, n),
        lambda self, j, random, steps, more=3: (j, steps),
        lambda self, j, *others: (j, others[1]),
        lambda *everything: everything[1:],
        staticmethod(lambda steps, j, random: (j, steps)),  # left to whoever does so
    ],
)
def test_arguments_of_step_may_have_any_names_of_their_own(step):
    register_draws(Noise)(changed(LowerNoise, step=step))


@pytest.mark.parametrize(
    "wrong, match",
    [
        ({"state_names": "steps"}, r"Mine.state_names is 'steps'; expected a tuple"),
        ({"parameters": (3,)}, r"Mine.parameters is \(3,\); expected a tuple of nam"),
        ({"parameters": ("dt",)}, r"names 'dt', but `Mine.dt` is something else"),
        ({"parameters": ("views",)}, r"'views', but `Mine.views` is something else"),
    ],
)
def test_names_that_cannot_be_declared(wrong, match):
    with pytest.raises(ValidationError, match=match):
        register(SimNeurons, Noise)(changed(OnlyLower, **wrong))


def test_class_of_two_bases_that_is_no_dataclass():
    both = type("Both", (LowerSurrogateNeurons, LowerNoise), {})
    match = r"Both lacks the fields 'random', 'sizes', 'negative' .*@dataclass"
    with pytest.raises(ValidationError, match=match):
        register_surrogate(Noise)(both)
    assert not has_surrogate(Noise())


def test_lowering_without_a_step():
    lowering = type("Idle", (LowerNeurons,), {"state_names": ("steps",)})
    with pytest.raises(ValidationError, match=r"Idle has no `step`.*self, j, steps\)"):
        register(SimNeurons, Noise)(lowering)


@pytest.mark.parametrize(
    "lowering, match",
    [
        (
            changed(OnlyLower, parameters=("nope",)),
            "Mine.parameters names 'nope', but Noise has no such attribute; expected "
            r"some of 'amplitude'.*set `self.nope` in `Noise.__init__`",
        ),
        (
            changed(OnlyLower, parameters=("tau_rc",)),
            "Mine.parameters names 'tau_rc', but Noise has no such attribute",
        ),
        (
            changed(OnlyLower, state_names=("volts",), step=lambda self, j, v: (j, v)),
            "Mine.state_names names 'volts', but Noise has no such state variable; "
            r"expected some of 'steps'. Correct .* add 'volts' to `Noise.state`",
        ),
    ],
)
def test_names_that_the_neurons_have_not(lowering, match):
    register(SimNeurons, Noise)(lowering)
    with pytest.raises(BuildError, match=match):
        simulate(Noise())


def test_draws_that_are_none():
    register_draws(Noise)(changed(LowerNoise, draws=classmethod(lambda cls, op: 3)))
    with pytest.raises(BuildError, match=r"Mine.draws returned 3 for Noise\(\); exp"):
        simulate(Noise())


@pytest.mark.parametrize(
    "sample, given",
    [
        (lambda rng, n: np.zeros((n, 3)), r"shape \(3, 3\), float64"),
        (lambda rng, n: np.zeros((5, n)), r"shape \(5, 3\), float64"),  # as many
        (lambda rng, n: np.zeros(5), r"shape \(5,\), float64"),  # would be broadcast
        (lambda rng, n: None, r"shape \(\), object"),
        (lambda rng, n: np.full((n, 5), "a"), r"shape \(3, 5\), <U1"),
    ],
)
def test_samples_of_another_shape(sample, given):
    def draws(cls, op):
        return Draws(op.state_extra["rng"], op.J.shape, sample, nengo=True)

    register_draws(Noise)(changed(LowerNoise, draws=classmethod(draws)))
    match = (
        rf"`sample` in the Draws of Noise\(\) returned an array of {given}, for n_st"
    )
    with pytest.raises(SimulationError, match=match + r".*\(3, 5\), that is \(n_steps"):
        simulate(Noise())


@pytest.mark.parametrize(
    "function, text",
    [
        (lambda neurons: neurons, r"`<lambda>\(neurons\)` cannot be called as"),
        (lambda n, s, more: n, r"`<lambda>\(n, s, more\)` cannot be called as"),
        (lambda n, *, smoothing: n, r"cannot be called as `<lambda>\(neurons, smo"),
    ],
)
def test_rates_of_other_arguments(function, text):
    with pytest.raises(ValidationError, match=text):
        register_rates(MyLIF)(function)
    register_rates(MyLIF)(lambda *args: nengo.LIFRate())
    assert rate_equivalent(MyLIF()) == nengo.LIFRate()


# -- what is done with it


class Keyed(LowerNoise):
    """Draws other numbers than Nengo."""

    @classmethod
    def draws(cls, op):
        return dataclasses.replace(super().draws(op), nengo=False)


def test_neurons_with_a_surrogate_are_fed_in_any_case():
    register_draws(Noise)(Keyed)
    both = type("Both", (LowerSurrogateNeurons, Keyed), {})
    register_surrogate(Noise)(dataclasses.dataclass(frozen=True)(both))
    signals = [Signal(np.zeros(3), name=name) for name in ("J", "output", "steps")]
    rng = np.random.RandomState(0)
    op = SimNeurons(Noise(), *signals[:2], {"steps": signals[2], "rng": rng})
    ops = [
        op,
        SurrogateNeurons(op, Arctan()),
        RateGradientNeurons(op, nengo.RectifiedLinear()),
    ]
    # their NumPy code could draw Nengo's numbers, but has no derivative
    for nengo_only, fed in ((False, [True] * 3), (True, [False, True, True])):
        draws = [registry.fed_draws(op, nengo_only) for op in ops]
        assert [found is not None for found in draws] == fed
    numbers = Signal(np.zeros(3), name="draws")
    for op in ops[1:]:
        found = op.fed(numbers)
        assert type(found) is type(op) and found.draws is numbers
        assert found.reads == [signals[0], numbers] and op.reads == [signals[0]]
        lowered([found])


def test_spikes_that_are_drawn_and_have_no_rates_are_named():
    spiking = type("Drawn", (Noise,), {"spiking": True})
    register_draws(spiking)(LowerNoise)
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0])
        ensemble = nengo.Ensemble(5, 1, neuron_type=spiking(), gain=[1] * 5)
        ensemble.bias = np.zeros(5)
        nengo.Connection(node, ensemble, synapse=None)
        probe = nengo.Probe(ensemble.neurons)
    data = {node: np.ones((1, 3, 1)), probe: np.ones((1, 3, 5))}
    with (
        nengo_dl.Simulator(net, progress_bar=False) as sim,
        pytest.warns(NengoWarning, match="No gradient passes through DrawnNeurons"),
        pytest.raises(ValidationError, match="nothing to train"),
    ):
        sim.train(data, "sgd")


def test_exact_types_decide():
    assert has_surrogate(nengo.LIF()) and rate_equivalent(nengo.LIF()) is not None
    assert not has_surrogate(MyLIF()) and rate_equivalent(MyLIF()) is None
    ops = [lif_operator(MyLIF()), lif_operator(nengo.LIF())]

    def kinds(surrogate):
        found = with_surrogates(ops, surrogate, has_surrogate, rate_equivalent)
        return [type(op) for op in found]

    assert kinds(Arctan()) == [SimNeurons, SurrogateNeurons]
    register_surrogate(MyLIF)(LowerSurrogateLIF)
    assert kinds(Arctan()) == [SurrogateNeurons, SurrogateNeurons]
    assert kinds("rate") == [SimNeurons, RateGradientNeurons]
    register_rates(MyLIF)(lambda neurons, smoothing: nengo.LIFRate())
    assert kinds("rate") == [RateGradientNeurons, RateGradientNeurons]


def test_gradients_of_rates_need_both_in_tensorflow():
    register_surrogate(MyLIF)(LowerSurrogateLIF)
    op = RateGradientNeurons(lif_operator(MyLIF()), nengo.LIFRate())
    with pytest.raises(BuildError, match=r"MyLIF in TensorFlow.*SimNeurons, MyLIF"):
        lowered([op])
    register(SimNeurons, MyLIF)(LowerLIF)
    lowered([op])


def test_populations_merge_if_their_rates_are_of_one_type():
    rates = [nengo.LIFRate(), nengo.LIFRate(tau_rc=0.1), nengo_dl.SoftLIFRate()]
    kinds = [
        registry.merge_kind(RateGradientNeurons(lif_operator(nengo.LIF()), r))
        for r in rates
    ]
    assert kinds[0] == kinds[1] != kinds[2]


# -- where it is declared


def named(path):
    """Return the names that code uses, comments and docstrings apart."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name.split(".")[-1]


def test_each_spiking_type_has_one_file():
    spiking = {
        kind.__name__
        for table in (registry._LOWERINGS, dict.fromkeys(rate_equivalents._RATES))
        for kind in (key[1] if isinstance(key, tuple) else key for key in table)
        if kind is not None and getattr(kind, "spiking", False)
        if kind.__module__.split(".")[0] in ("nengo", "nengo_dl")
    }
    assert len(spiking) >= 8
    files = {name: [] for name in spiking}
    # where they are defined and offered, networks that are measured, and what they are
    # in files of other libraries
    others = {
        ROOT / name for name in ("neurons.py", "__init__.py", "benchmarks", "nir")
    }
    for path in ROOT.rglob("*.py"):
        if others.isdisjoint((path, *path.parents)):
            for name in spiking.intersection(named(path)):
                files[name].append(path.relative_to(ROOT))
    for name, found in files.items():
        assert len(found) == 1, (name, found)
        assert found[0].parent == Path("lowering/neurons"), (name, found)
