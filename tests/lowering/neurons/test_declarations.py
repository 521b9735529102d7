"""What a neuron type declares: rates, a surrogate, draws; and where it is declared."""

import ast
from pathlib import Path

import nengo
import numpy as np
import pytest
from nengo.builder.neurons import SimNeurons
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError, NengoWarning, ValidationError

import nengo_dl
from nengo_dl.graph.draws import DrawnNeurons
from nengo_dl.graph.surrogate_neurons import (
    RateGradientNeurons,
    SurrogateNeurons,
    with_surrogates,
)
from nengo_dl.lowering import (
    LowerDrawnNeurons,
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
            type("Other", (LowerSurrogateNeurons, LowerLIF), {}),
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


# -- what is done with it


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
