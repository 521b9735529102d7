"""What an online learning rule has learned is a parameter: it stays after calls."""

import keras
import numpy as np
import pytest

import nengo_dl
from tests.helpers import assert_close, rest_with_everything
from tests.test_online_learning import RULES, network, weights

STEPS = 10
X = np.full((4, STEPS, 1), 0.6)

#: calls in inference, of two minibatches each
CALLS = {
    "run": lambda sim, net: [
        sim.run_steps(STEPS, {net.stimulus: x}, stateful=False) for x in (X[:2], X[2:])
    ],
    "run_batch": lambda sim, net: sim.run_batch(
        {net.stimulus: X}, {net.probes_of[1]: None}
    ),
    "run_batch in parts": lambda sim, net: sim.run_batch(
        {net.stimulus: X}, {net.probes_of[1]: None}, truncation=5
    ),
    "predict": lambda sim, net: sim.predict(X, verbose=0),
    "predict_on_batch": lambda sim, net: [sim.predict_on_batch(X[:2]) for _ in "ab"],
    "evaluate": lambda sim, net: sim.evaluate(X, {net.probes_of[1]: X}, verbose=0),
    "loss": lambda sim, net: sim.loss({net.stimulus: X, net.probes_of[1]: X}),
}


def simulator(net, stateful=True):
    with net:
        nengo_dl.configure_settings(
            dtype="float64", jit_compile=False, stateful=stateful
        )
    sim = nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False)
    sim.compile(keras.optimizers.SGD(0.0), loss={net.probes_of[1]: "mse"})
    return sim


def voltages(sim):
    """All of the state but what is learned."""
    store = sim._runner.store
    return [
        s.numpy() for s, own in zip(store.state, store.learned, strict=True) if not own
    ]


@pytest.mark.parametrize("stateful", [True, False])
@pytest.mark.parametrize("name", rest_with_everything([*RULES], 2))
def test_what_was_learned_stays_after_calls(name, stateful):
    found = {}
    net = network(name)
    with simulator(net, stateful) as sim:
        start, state = np.array(weights(sim, net)), voltages(sim)
        for call, run in CALLS.items():
            if call != "run" and name in ("BCM", "Oja", "RLS") and not stateful:
                continue
            run(sim, net)
            found[call] = np.array(weights(sim, net))
            assert np.abs(found[call] - start).max() > 0, call
            for now, before in zip(voltages(sim), state, strict=True):
                np.testing.assert_array_equal(now, before)
            assert sim.n_steps == 0
            run(sim, net)
            assert np.abs(weights(sim, net) - found[call]).max() > 0, call
            sim.reset(include_trainable=False)
            assert np.abs(weights(sim, net) - start).max() > 0, call
            sim.reset()
            np.testing.assert_array_equal(weights(sim, net), start)
    for call, values in found.items():
        assert_close(values, found["run"], 1e-9, call)


def test_training_begins_with_what_was_learned_and_keeps_nothing():
    net = network("PES", 0.6)
    probe = net.probes_of[1]
    data = {net.stimulus: X, probe: X}
    with simulator(net) as sim:
        fresh = [
            sim.train(data, keras.optimizers.SGD(0.0), shuffle=False)[0],
            sim.fit(X, {probe: X}, shuffle=False, verbose=0).history["loss"][0],
        ]
        assert np.ptp(fresh) < 1e-12
        sim.run_steps(200)
        learned = np.array(weights(sim, net))
        for _ in range(2):
            sim.train(data, keras.optimizers.SGD(0.0), n_epochs=2)
            sim.fit(X, {probe: X}, epochs=2, validation_split=0.5, verbose=0)
            sim.loss(data, training=True)
            sim.check_gradients([probe], inputs={net.stimulus: X[:2]})
            np.testing.assert_array_equal(weights(sim, net), learned)
        sim.reset(include_trainable=False)
        now = [
            sim.train(data, keras.optimizers.SGD(0.0), shuffle=False)[0],
            sim.fit(X, {probe: X}, shuffle=False, verbose=0).history["loss"][0],
        ]
        assert np.ptp(now) < 1e-12 and abs(now[0] - fresh[0]) > 1e-4
        function = sim.function(probe)
        inputs = {net.stimulus: X[:2]}
        outputs, _ = function(function.params, function.initial_state, inputs)
        assert_close(outputs[probe].numpy(), sim.predict_on_batch(X[:2])[probe], 1e-9)
