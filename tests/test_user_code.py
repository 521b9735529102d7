"""Warnings point to the user's line, and tracebacks end there."""

import linecache
import traceback
import warnings

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder import Model
from nengo.exceptions import NengoWarning, SimulationError, ValidationError

import nengo_dl
from nengo_dl.user_code import user_line

X = np.ones((5, 3, 1))


@pytest.fixture(scope="module")
def net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, trainable=None)
        net.node = nengo.Node([0.5])
        net.a = nengo.Ensemble(5, 1, neuron_type=nengo.RectifiedLinear())
        net.b = nengo.Ensemble(5, 1, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(net.node, net.a)
        net.learned = nengo.Connection(
            net.a, net.b, learning_rule_type=nengo.PES(), synapse=None
        )
        net.probe = nengo.Probe(net.a)
    return net


def simulator(net, **options):
    return nengo_dl.Simulator(net, progress_bar=False, **options)


# -- warnings. Each function has the line that causes one, marked as such


def soft_reset(net, sim):
    sim.soft_reset()  # here


def older_argument(net, sim):
    sim.trange(dt=0.001)  # here


def no_steps(net, sim):
    sim.run(0.0001)  # here


def older_train(net, sim):
    sim.train({net.node: X[:4]}, {net.probe: X[:4]}, "sgd")  # here


def items_left_out(net, sim):
    sim.loss({net.node: X, net.probe: X})  # here


def items_left_out_in_training(net, sim):
    sim.train({net.node: X, net.probe: X}, "sgd")  # here


def no_directory(net, sim):
    sim.train({net.node: X[:4], net.probe: X[:4]}, "sgd", summaries=["loss"])  # here


def one_step(net, sim):
    sim.train({net.node: X[:4, :1], net.probe: X[:4, :1]}, "sgd")  # here


def batch_size(net, sim):
    sim.compile("sgd", loss="mse")
    sim.fit({net.node: X[:4]}, {net.probe: X[:4]}, batch_size=2)  # here


def older_parameter(net, sim):
    sim.data.get_param(net.a, "bias")  # here


def learned_and_closed(net, sim):
    other = simulator(net)
    other.run_steps(3)
    other.close()
    assert other.data[net.learned] is not None  # here


def older_constructor(net, sim):
    nengo_dl.Simulator(net, step_blocks=10, progress_bar=False).close()  # here


def other_time_step(net, sim):
    model = Model(dt=0.002)
    nengo_dl.Simulator(net, model=model, progress_bar=False).close()  # here


def no_network(net, sim):
    model = Model()
    model.build(net)
    model.toplevel = None
    nengo_dl.Simulator(None, model=model, progress_bar=False).close()  # here


def learned_and_trained(net, sim):
    net.config[net.learned].trainable = True
    try:
        simulator_of_net = nengo_dl.Simulator(net, progress_bar=False)  # here
        simulator_of_net.close()
    finally:
        net.config[net.learned].trainable = None


def older_settings(net, sim):
    with nengo.Network():
        nengo_dl.configure_settings(session_config={})  # here


def older_trainable(net, sim):
    nengo_dl.configure_trainable(nengo.Network())  # here


def older_layer(net, sim):
    with nengo.Network():
        nengo_dl.tensor_layer(nengo.Node([0]), tf.exp)  # here


CAUSES = [
    soft_reset,
    older_argument,
    no_steps,
    older_train,
    items_left_out,
    items_left_out_in_training,
    no_directory,
    one_step,
    batch_size,
    older_parameter,
    learned_and_closed,
    older_constructor,
    other_time_step,
    no_network,
    learned_and_trained,
    older_settings,
    older_trainable,
    older_layer,
]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
def test_warnings_point_to_the_line_that_caused_them(net, cause):
    with (
        simulator(net, minibatch_size=2) as sim,
        warnings.catch_warnings(record=True) as found,
    ):
        warnings.simplefilter("default")  # as Python does: once for each line
        cause(net, sim)
    lines = {
        linecache.getline(w.filename, w.lineno).strip()
        for w in found
        if issubclass(w.category, UserWarning | DeprecationWarning | NengoWarning)
    }
    assert found
    assert all(line.endswith("# here") for line in lines), lines
    assert len(lines) == 1


def test_warnings_of_a_loop_come_once(net):
    with (
        simulator(net, minibatch_size=2) as sim,
        warnings.catch_warnings(record=True) as found,
    ):
        warnings.simplefilter("default")
        for _ in range(3):
            sim.loss({net.node: X, net.probe: X})
    assert len([w for w in found if "left out" in str(w.message)]) == 1


# -- errors


def last_line(error):
    """Return the code at the end of a traceback."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return frame.line


def run(net, **options):
    with simulator(net, **options) as sim:
        sim.run(0.01)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("size_in", [0, 1])
def test_errors_of_nodes_name_the_line(jit, size_in):
    def output(t, *x):
        return {}["nothing"]  # here

    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=jit)
        node = nengo.Node(output, size_in=size_in, size_out=1)
        nengo.Probe(node)
    with pytest.raises(SimulationError) as caught:
        run(net)
    first = output.__code__.co_firstlineno
    assert f"(test_user_code.py, line {first + 1}, in output)" in str(caught.value)
    assert isinstance(caught.value, KeyError)
    assert last_line(caught.value.__cause__).endswith("# here")


def test_errors_of_tensor_nodes_name_the_line():
    def function(t, x):
        return tf.matmul(x, x)

    with nengo.Network(), pytest.raises(ValidationError) as caught:
        nengo_dl.TensorNode(function, shape_in=(3,))
    first = function.__code__.co_firstlineno
    assert f"(test_user_code.py, line {first + 1}, in function)" in str(caught.value)


def test_errors_of_own_classes_end_in_their_line():
    class Mine(nengo.RectifiedLinear):
        def step(self, dt, J, output):
            raise RuntimeError("mine")  # here

    with nengo.Network() as net:
        nengo.Ensemble(3, 1, neuron_type=Mine())
    with pytest.raises(RuntimeError, match="mine") as caught:
        run(net)
    assert last_line(caught.value).endswith("# here")


def bad_loss(y_true, y_pred):
    return tf.matmul(y_true, y_pred)  # here


def bad_objective(outputs, targets):
    return outputs.nothing  # here


def test_errors_of_losses_end_in_their_line(net):
    with simulator(net, minibatch_size=5) as sim:
        sim.compile("sgd", loss=bad_loss)
        for call in (sim.fit, sim.evaluate):
            with pytest.raises(ValueError, match="must be equal") as caught:
                call({net.node: X}, {net.probe: X}, verbose=0)
            assert last_line(caught.value).endswith("# here")
        with pytest.raises(AttributeError) as caught:
            sim.train({net.node: X, net.probe: X}, "sgd", objective=bad_objective)
        assert last_line(caught.value).endswith("# here")


def test_targets_of_a_wrong_shape_are_named(net):
    with simulator(net, minibatch_size=5) as sim:
        sim.compile("sgd", loss=lambda targets, outputs: (targets - outputs) ** 2)
        with pytest.raises(
            ValidationError,
            match=r"targets of shape \(5, 2, 1\) and outputs of shape \(5, 3, 1\)",
        ):
            sim.fit({net.node: X}, {net.probe: X[:, :2]}, verbose=0)


def test_errors_without_a_line_of_the_user():
    assert user_line(ValueError()) == ""
    try:
        np.reshape(np.zeros(2), 3)
    except ValueError as error:
        assert "test_user_code.py" in user_line(error)
