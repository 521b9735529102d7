"""Small networks of each kind that is trained, and all that is asked of them."""

import contextlib
import copy
import pickle
import tempfile
import warnings
from pathlib import Path

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import SimulationError, SimulatorClosed, ValidationError

import nengo_dl

BATCH = 8
N_ITEMS, N_STEPS = 16, 4


def network(kind, dtype, jit):
    """Return a network, its input and its output."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype=dtype, jit_compile=jit)
        size = 16 if kind == "convolutional" else 2
        stimulus = nengo.Node(np.zeros(size), label="stimulus")
        if kind == "convolutional":
            output = _convolution(stimulus)
        elif kind == "online":
            output = _online(stimulus)
        elif kind == "python":
            output = nengo.Node(lambda t, x: 0.5 * x, size_in=2)
            nengo.Connection(_ensemble(stimulus, "forward"), output)
            output = _ensemble(output, "forward")
        else:
            output = _ensemble(stimulus, kind)
        probe = nengo.Probe(output, synapse=0.01 if kind == "recurrent" else None)
    return net, stimulus, probe


def _ensemble(stimulus, kind):
    if kind == "spiking":
        nengo_dl.configure_settings(surrogate="fast_sigmoid")
        neurons = nengo.LIF()
    else:
        neurons = nengo.RectifiedLinear()
    ensemble = nengo.Ensemble(10, 2, neuron_type=neurons, seed=1)
    noise = nengo.Node(
        nengo.processes.WhiteSignal(0.1, 50, rms=0.1), size_out=2, label="noise"
    )
    nengo.Connection(stimulus, ensemble, synapse=None)
    nengo.Connection(noise, ensemble, synapse=None)
    if kind != "forward":
        nengo.Connection(ensemble, ensemble, synapse=0.01)
    return ensemble


def _online(stimulus):
    """Decoders that a rule of Nengo changes in each item, and an optimizer at first."""
    before, after = (_ensemble(node, "forward") for node in (stimulus, stimulus))
    learned = nengo.Connection(before, after, learning_rule_type=nengo.PES(1e-3))
    nengo.Connection(stimulus, learned.learning_rule, transform=-1)
    return after


def _convolution(stimulus):
    keras.utils.set_random_seed(0)
    layers = keras.Sequential(
        [
            keras.layers.Input((16,)),
            keras.layers.Reshape((4, 4, 1)),
            keras.layers.Conv2D(2, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    return nengo_dl.Layer(layers)(stimulus, shape_in=(16,), shape_out=(2,))


def data(size_in):
    rng = np.random.RandomState(0)
    return rng.randn(N_ITEMS, N_STEPS, size_in), rng.randn(N_ITEMS, N_STEPS, 2)


def optimizers(kind=None):
    """Return an optimizer of each family, with steps that keep the network stable."""
    # encoders and biases alone: some hundreds, with small gradients
    rate = 0.1 if kind in ("forward", "python") else 1e-4
    # rounding doubles with each large update, until a neuron spikes in another step; so
    # it does on one device, with and without XLA
    smaller = 0.01 if kind == "spiking" else 1.0
    return {
        "momentum": keras.optimizers.SGD(smaller * rate, momentum=0.9),
        "adam": keras.optimizers.Adam(smaller * 1e-3),
    }


def briefly(kind, dtype, jit, strategy):
    """Return the parameters after a few steps, and what a run shows with them."""
    net, stimulus, probe = network(kind, dtype, jit)
    x, y = data(stimulus.size_out)
    with nengo_dl.Simulator(
        net, minibatch_size=BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        losses = sim.train({stimulus: x, probe: y}, optimizers()["adam"], n_epochs=2)
        sim.run_steps(N_STEPS, {stimulus: x[:BATCH]})
        return {
            "losses": losses,
            "params": parameters(sim),
            "run": sim.data[probe].copy(),
        }


def trained(kind, dtype, jit, strategy, truncation=None):
    """Return the parameters after 20 steps by ``train`` and 20 by ``fit``."""
    found = {}
    for name in ("momentum", "adam"):
        net, stimulus, probe = network(kind, dtype, jit)
        x, y = data(stimulus.size_out)
        with nengo_dl.Simulator(
            net, minibatch_size=BATCH, strategy=strategy, progress_bar=False
        ) as sim:
            function = sim.function()
            start = function.params
            before = np.concatenate([np.ravel(values) for values in start])
            sim.train(
                {stimulus: x, probe: y},
                optimizers(kind)[name],
                n_epochs=10,
                truncation=truncation,
            )
            found[f"train, {name}"] = parameters(sim)
            assert np.abs(found[f"train, {name}"] - before).max() > 1e-5
            # from the same start: parameters that differ in the last digits lead to
            # another spike sooner or later
            function.assign(start)
            sim.compile(optimizers(kind)[name], loss="mse", metrics=["mae"])
            history = sim.fit({stimulus: x}, {probe: y}, epochs=10, verbose=0)
            found[f"fit, {name}"] = parameters(sim)
            for key, values in history.history.items():
                found[f"fit, {name}, {key}"] = np.array(values)
    return found


def parameters(sim):
    return np.concatenate([np.ravel(v) for v in sim.function().params])


def in_scope(kind, dtype, jit, strategy):
    """Return the same where everything is made in the strategy's scope, as in Keras."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if strategy is not None:
            stack.enter_context(strategy.scope())
        net, stimulus, probe = network(kind, dtype, jit)
        x, y = data(stimulus.size_out)
        with nengo_dl.Simulator(
            net, minibatch_size=BATCH, progress_bar=False, tensorboard=folder
        ) as sim:
            assert len(list(Path(folder).rglob("*tfevents*"))) == 1
            sim.train({stimulus: x, probe: y}, optimizers()["adam"], truncation=2)
            metrics = [keras.metrics.RootMeanSquaredError()]
            sim.compile(optimizers()["adam"], loss="mse", metrics=metrics)
            batches = tf.data.Dataset.from_tensor_slices(
                ({"stimulus": x, "noise": 0.1 * x}, {"probe": y})
            ).batch(BATCH)
            history = sim.fit(batches, epochs=2, verbose=0, truncation=2)
            sim.run_steps(3, {stimulus: x[:BATCH, :3]}, stateful=False)
            return {
                "params": parameters(sim),
                "run": sim.data[probe].copy(),
                **{key: np.array(v) for key, v in history.history.items()},
            }


def python_loss(kind, dtype, jit, strategy):
    """Return what training with a loss in Python gives, whose slopes have no shape."""

    def squares(outputs, targets):
        return tf.py_function(
            lambda y, t: tf.reduce_mean((y - t) ** 2), [outputs, targets], dtype
        )

    net, stimulus, probe = network(kind, dtype, jit)
    x, y = data(stimulus.size_out)
    with nengo_dl.Simulator(
        net, minibatch_size=BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        losses = sim.train(
            {stimulus: x, probe: y}, optimizers()["adam"], objective={probe: squares}
        )
        return {"python loss": losses, "params, python loss": parameters(sim)}


def another(kind, dtype, jit, strategy):
    """Check a second strategy of the process with another type; it is no result.

    Each strategy numbers what its devices exchange from 1.
    """
    if strategy is None:
        return {}
    other = "float32" if dtype == "float64" else "float64"
    second = tf.distribute.MirroredStrategy(strategy.extended.worker_devices)
    found, expected = (briefly(kind, other, jit, s) for s in (second, None))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5, rtol=1e-5)
    return {}


def refused(kind, dtype, jit, strategy):
    """Check what a simulator says that cannot be divided; it is no result."""
    if strategy is None:
        return {}
    net, *_ = network(kind, dtype, jit)
    count = strategy.num_replicas_in_sync
    for size in (None, 1, count + 1):
        with pytest.raises(ValidationError, match=f"{size} for {count} replicas"):
            nengo_dl.Simulator(net, minibatch_size=size, strategy=strategy)
        with strategy.scope(), pytest.raises(ValidationError, match="multiple of"):
            nengo_dl.Simulator(net, minibatch_size=size)
    for wrong in ("mirrored", 2, np.nan, tf.distribute.get_strategy(), [strategy]):
        with pytest.raises(ValidationError, match="expected a tf.distribute.Mirrored"):
            nengo_dl.Simulator(net, minibatch_size=count, strategy=wrong)
    other = tf.distribute.MirroredStrategy(strategy.extended.worker_devices)
    with other.scope(), nengo_dl.Simulator(net, minibatch_size=8, strategy=strategy):
        pass
    with pytest.raises(ValidationError, match="and a strategy"):
        nengo_dl.Simulator(net, minibatch_size=8, strategy=strategy, device="/cpu:1")
    with nengo_dl.Simulator(
        net, minibatch_size=count, strategy=strategy, progress_bar=False
    ) as sim:
        assert f"on {count} replicas" in repr(sim)
        _refused_in_replicas(sim, strategy)
        _refused_in_parallel(sim)
        _refused_datasets(sim, strategy)
    with pytest.raises(SimulatorClosed):
        sim.run_steps(1)
    return {}


def _refused_in_replicas(sim, strategy):
    """Check what is said within ``strategy.run``."""
    function = sim.function()

    def make():
        nengo_dl.Simulator(nengo.Network(), minibatch_size=2)

    for call in (
        lambda: function(function.params, None, {}, n_steps=2),
        lambda: sim.run_steps(2),
        make,
    ):
        with pytest.raises(SimulationError, match="outside of `strategy.run`"):
            strategy.run(call)


def _refused_in_parallel(sim):
    """Check what is said in loops that TensorFlow runs in parallel."""
    function = sim.function()
    params, drawn = function.params, function.generate(2)
    (probe,) = sim.model.probes

    def one(factor):
        scaled = [factor * own for own in params]
        return function(scaled, None, drawn, n_steps=2)[0][probe][:, -1]

    def jacobian(**options):
        factor = tf.ones((), params[0].dtype)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(factor)
            found = one(factor)
        return tape.jacobian(found, factor, **options)

    factors = tf.ones(2, params[0].dtype)
    for call in (
        jacobian,
        tf.function(jacobian),
        lambda: tf.vectorized_map(one, factors),
    ):
        # AutoGraph makes an error of its own of it, with the same text
        with pytest.raises(Exception, match="`experimental_use_pfor=False`"):
            call()
    assert np.any(jacobian(experimental_use_pfor=False))
    first, second = tf.map_fn(one, factors)
    assert np.array_equal(first, second)


def _refused_datasets(sim, strategy):
    """Check what is said of data that a strategy has divided."""
    (probe,) = sim.model.probes
    x = np.zeros((sim.minibatch_size, N_STEPS, probe.size_in))
    dataset = tf.data.Dataset.from_tensor_slices(({}, x)).batch(sim.minibatch_size)
    divided = strategy.experimental_distribute_dataset(dataset)
    sim.compile("sgd", loss="mse")
    for given in (divided, iter(divided)):
        for call in (
            lambda given: sim.fit(given),
            lambda given: sim.predict(given),
            lambda given: sim.train(given, "sgd"),
            lambda given: sim.loss(given),
            lambda given: sim.keras_model.fit(given),
        ):
            with pytest.raises(ValidationError, match="divides them itself"):
                call(given)


def copied(kind, dtype, jit, strategy):
    """Return how copies and pickles of a simulator go on; check what divides them."""
    net, stimulus, _ = network(kind, dtype, jit)
    x, y = data(stimulus.size_out)
    scope = contextlib.nullcontext if strategy is None else strategy.scope

    def elsewhere():
        if strategy is None:
            return contextlib.nullcontext()
        words = "MirroredStrategy with 2 replicas.*undivided.*minibatch_size=8"
        return pytest.warns(UserWarning, match=words)

    ways = {
        "copy": (copy.copy, contextlib.nullcontext, True),
        "deepcopy": (copy.deepcopy, contextlib.nullcontext, True),
        "deepcopy, in scope": (copy.deepcopy, scope, True),
        "pickle": (lambda sim: pickle.loads(pickle.dumps(sim)), elsewhere, False),
        "pickle, in scope": (lambda sim: pickle.loads(pickle.dumps(sim)), scope, True),
    }
    found = {}
    with nengo_dl.Simulator(
        net, minibatch_size=BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        sim.run_steps(N_STEPS, {stimulus: x[:BATCH]})
        for way, (again, where, divided) in ways.items():
            with where(), warnings.catch_warnings():
                if divided or strategy is None:
                    warnings.simplefilter("error", UserWarning)
                other = again(sim)
            kept = other._replicas and other._replicas.strategy
            assert kept is (strategy if divided else None), way
            with other:
                other.run_steps(N_STEPS, {"stimulus": x[BATCH:]})
                own = other.model.probes[0]
                found[f"{way}, run"] = other.data[own].copy()
                inputs = {"stimulus": x, own: y}
                found[f"{way}, losses"] = other.train(inputs, optimizers()["adam"])
    if strategy is not None:
        with nengo_dl.Simulator(net, minibatch_size=3, progress_bar=False) as alone:
            with strategy.scope(), copy.copy(alone) as other:
                assert other._replicas is None  # 3 items cannot be divided
            with strategy.scope(), pytest.raises(ValidationError, match="multiple of"):
                pickle.loads(pickle.dumps(alone))
    return found


def measured(kind, dtype, jit, strategy):
    """Return what every other call gives."""
    net, stimulus, probe = network(kind, dtype, jit)
    x, y = data(stimulus.size_out)
    with nengo_dl.Simulator(
        net, minibatch_size=BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        found = {"loss": sim.loss({stimulus: x, probe: y})}

        def spread(outputs, targets):
            """No mean and no sum over items."""
            return tf.math.reduce_std(outputs - targets)

        found["objective"] = sim.loss({stimulus: x, probe: y}, spread)
        batches = sim.run_batch({stimulus: x, probe: y}, {probe: spread}, n_epochs=2)
        found["run_batch"] = batches[probe]
        sim.compile(loss="mse", metrics=["mae", keras.metrics.RootMeanSquaredError()])
        for name, value in sim.evaluate({stimulus: x}, {probe: y}, verbose=0).items():
            found[f"evaluate, {name}"] = value
        found["predict"] = sim.predict({stimulus: x}, verbose=0)[probe]
        if kind in ("forward", "recurrent"):
            found["check_gradients"] = sim.check_gradients(probe)[probe]["analytic"]
        sim.run_steps(N_STEPS, {stimulus: x[:BATCH]})
        sim.run(0.002, {stimulus: x[BATCH:, :2]})
        sim.step()
        found["run"] = sim.data[probe]
        found.update(slopes(sim, stimulus, probe, x, dtype, _divided(kind, strategy)))
    return {name: np.asarray(value) for name, value in found.items()}


def differentiated(kind, dtype, jit, strategy):
    """Return slopes of a function that is called eagerly."""
    net, stimulus, probe = network(kind, dtype, jit)
    x, _ = data(stimulus.size_out)
    with nengo_dl.Simulator(
        net, minibatch_size=BATCH, strategy=strategy, progress_bar=False
    ) as sim:
        return slopes(sim, stimulus, probe, x, dtype, _divided(kind, strategy))


def _divided(kind, strategy):
    """Return whether minibatches are divided: not if Python code sees them."""
    return strategy is not None and kind != "python"


def slopes(sim, stimulus, probe, x, dtype, divided):
    function = sim.function(probe)
    given = {stimulus: tf.constant(x[:BATCH], dtype)}
    params, state = function.params, function.state
    drawn = function.generate(N_STEPS, [stimulus])

    def total():
        outputs, _ = function(params, state, {**given, **drawn})
        return tf.math.reduce_std(outputs[probe])

    with tf.GradientTape(persistent=True) as tape:
        tape.watch([params, given])
        one = total()
        square = one**2
    found = {}
    for name, value in (("one", one), ("square", square)):
        own = tape.gradient(value, [params, given], unconnected_gradients="zero")
        for i, slope in enumerate(tf.nest.flatten(own)):
            found[f"function, {name}, {i}"] = slope.numpy()

    def second():
        with tf.GradientTape() as outer:
            outer.watch([params, given])
            with tf.GradientTape() as inner:
                inner.watch([params, given])
                one = total()
            own = inner.gradient(one, [params, given], unconnected_gradients="zero")
            squares = [tf.reduce_sum(slope**2) for slope in tf.nest.flatten(own)]
            square = tf.reduce_sum(squares)
        return outer.gradient(square, [params, given], unconnected_gradients="zero")

    for name, call in (("", second), ("traced, ", tf.function(second))):
        for i, slope in enumerate(tf.nest.flatten(call())):
            found[f"function, second, {name}{i}"] = slope.numpy()
    assert max(np.abs(v).max() for n, v in found.items() if "second" in n) > 1e-3
    if divided:
        refusal = pytest.raises(SimulationError, match="Put the tape into")
        with tf.GradientTape() as tape, refusal:
            tape.watch(params)
            tf.function(total, autograph=False)()
        for own in (total, tf.function(total, autograph=False)):
            compiled = tf.function(own, autograph=False, jit_compile=True)
            with pytest.raises(SimulationError, match="Leave jit_compile out"):
                compiled()
    return found


def differences(found, expected):
    """Return the largest difference of each result, relative to what is expected."""
    assert found.keys() == expected.keys()
    result = {}
    for name, value in found.items():
        assert value.shape == expected[name].shape, name
        assert np.isfinite(expected[name]).all(), name
        scale = max(1.0, np.abs(expected[name]).max(initial=0))
        result[name] = float(np.abs(value - expected[name]).max(initial=0) / scale)
    return result
