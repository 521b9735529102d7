import dataclasses

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Copy
from nengo.builder.signal import Signal
from nengo.exceptions import BuildError

import nengo_dl
from nengo_dl.lowering import Lowering, NumPyOperator, register, registry
from nengo_dl.lowering.neurons.lif import LowerLIF
from nengo_dl.plan.layout import View
from tests.helpers import assert_close
from tests.operators import Count, model_of


@pytest.fixture(autouse=True)
def own_table(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry, "_LOWERINGS", dict(registry._LOWERINGS))


def run(operators, signal, steps=3, **options):
    model, (probe,) = model_of(operators, [signal])
    with pytest.warns(match="No top-level network"):
        sim = nengo_dl.Simulator(
            None, model=model, dtype="float64", progress_bar=False, **options
        )
    with sim:
        sim.run_steps(steps)
    return sim.data[probe]


def test_unknown_operator_is_named_with_the_way_out():
    with pytest.raises(BuildError) as error:
        run([Count(Signal(np.zeros(2), name="total"))], Signal(np.zeros(1)))
    message = str(error.value)
    assert "operators of type Count" in message
    assert (
        "nengo_dl.lowering.register(Count)(nengo_dl.lowering.NumPyOperator)" in message
    )


@pytest.mark.parametrize("items", [None, 3])
def test_way_out_works(items):
    register(Count)(NumPyOperator)
    signal = Signal(np.full(2, 0.5), name="total")
    data = run([Count(signal)], signal, minibatch_size=items)
    for item in data if items else [data]:
        assert item.tolist() == [[1.5, 1.5], [2.5, 2.5], [3.5, 3.5]]


@dataclasses.dataclass(frozen=True)
class LowerCount(Lowering):
    target: View

    @classmethod
    def build_pre(cls, group, context):
        return cls(context.view([op.updates[0] for op in group.ops]))

    def build_step(self, values):
        values.set(self.target, values.read(self.target) + 2)


def test_lowering_of_the_user():
    register(Count)(LowerCount)

    signal, other = Signal(np.zeros(2)), Signal(np.zeros(2))
    data = run([Count(signal), Count(other)], signal)
    assert data.tolist() == [[2, 2], [4, 4], [6, 6]]


def test_lowering_of_the_user_may_have_effects():
    steps = tf.Variable(0, dtype=tf.int64)  # int32 stays in the CPU's memory

    @register(Count)
    class LowerCountAside(LowerCount):
        def build_step(self, values):
            steps.assign_add(1)  # no result depends on it
            super().build_step(values)

    signal = Signal(np.zeros(2))
    assert run([Count(signal)], signal).tolist() == [[2, 2], [4, 4], [6, 6]]
    assert steps.numpy() == 3


def test_subclass_of_a_known_operator_is_unknown():
    class MyCopy(Copy):
        pass

    a, b = Signal(np.zeros(2)), Signal(np.zeros(2))
    with pytest.raises(BuildError, match="MyCopy"):
        run([MyCopy(a, b)], b)


def test_neuron_types_can_be_registered():
    class Squared(nengo.RectifiedLinear):
        def step(self, dt, J, output):
            output[...] = np.maximum(J, 0) ** 2

    @register(SimNeurons, Squared)
    @dataclasses.dataclass(frozen=True)
    class LowerSquared(nengo_dl.lowering.neurons.base.LowerNeurons):
        def step(self, j, *state):
            return (tf.nn.relu(j) ** 2,)

    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(5, 1, neuron_type=Squared())
        p = nengo.Probe(ensemble.neurons)
    with nengo.Simulator(net, progress_bar=False) as expected:
        expected.run_steps(2)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(2)
        assert not sim._program.calls_python
    assert_close(sim.data[p], expected.data[p])


def test_exact_types_come_first_then_the_family():
    class MyLIF(nengo.LIF):
        pass

    def operator(neuron_type):
        signal = Signal(np.zeros(2))
        return SimNeurons(neuron_type, signal, signal)

    assert registry.lowering_of(operator(nengo.LIF())) is LowerLIF
    assert issubclass(registry.lowering_of(operator(MyLIF())), NumPyOperator)
    register(SimNeurons, MyLIF)(LowerLIF)
    assert registry.lowering_of(operator(MyLIF())) is LowerLIF


def test_user_code_is_code_from_outside_of_nengo():
    class Mine(nengo.LIF):
        pass

    signal = Signal(np.zeros(2))
    for neuron_type, expected in (
        (nengo.StochasticSpiking(nengo.LIFRate()), False),
        (Mine(), True),
    ):
        op = SimNeurons(neuron_type, signal, signal)
        assert registry.runs_python(op)
        assert registry.runs_user_code(op) is expected
