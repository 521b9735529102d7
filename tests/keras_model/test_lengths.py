"""Sequences of different lengths: what is compiled for them, and what comes out."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf

from nengo_dl.program import traces
from tests.helpers import assert_close, rest_with_everything
from tests.keras_networks import BATCH, data, parameters, simulator, with_memory

LENGTHS = (3, 5, 3, 8)


def minibatches():
    """Data and targets of several lengths, by name."""
    for i, n_steps in enumerate(LENGTHS):
        x, _ = data(BATCH, n_steps, seed=i)
        steps = np.full((BATCH, 1), n_steps, np.int32)
        yield {"in": x, "n_steps": steps}, {"out": x}


class Numbered(keras.utils.PyDataset):
    """The same, by number."""

    def __len__(self):
        return len(LENGTHS)

    def __getitem__(self, index):
        return list(minibatches())[index]


def as_dataset():
    """The same, from TensorFlow."""
    shape = tf.TensorSpec((BATCH, None, 2), tf.float64)
    steps = tf.TensorSpec((BATCH, 1), tf.int32)
    signature = {"in": shape, "n_steps": steps}, {"out": shape}
    return tf.data.Dataset.from_generator(minibatches, output_signature=signature)


SOURCES = {
    "tf.data": as_dataset,
    "generator": minibatches,
    "PyDataset": Numbered,
    "threads": lambda: Numbered(workers=2, max_queue_size=2),
}


def test_predictions_of_any_length_compile_nothing_new():
    net = with_memory()
    out = net.probes[0]
    x, _ = data(BATCH, 40)
    with simulator(net) as sim:
        whole = sim.predict(x, verbose=0)[out]
        compiled = len(traces.shared), len(sim._trainer.traces)
        own = sim.keras_model.predicting._own
        assert own._program.traces <= 1
        for n_steps in (7, 13, 1, 33, 40):
            seen = sim.predict(x[:, :n_steps], verbose=0)[out]
            assert np.array_equal(seen, whole[:, :n_steps])
            seen = sim.predict_on_batch(x[:, :n_steps])[out]
            assert np.array_equal(seen, whole[:, :n_steps])
        assert (len(traces.shared), len(sim._trainer.traces)) == compiled
        assert own._program.traces <= 1


def test_predictions_longer_than_one_call_of_compiled_code():
    net = with_memory()
    out = net.probes[0]
    with simulator(net, minibatch_size=1) as sim:
        n_steps = sim._program.capacity() + 3
        seen = sim.predict(n_steps=n_steps, verbose=0)[out]
        sim.run_steps(n_steps)
        assert np.array_equal(seen, sim.data[out])


@pytest.mark.parametrize("name", rest_with_everything([*SOURCES], 1))
def test_minibatches_of_different_lengths(name):
    net = with_memory()
    out = net.probes[0]
    source = SOURCES[name]
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.1), loss="mse")
        alone = [
            sim.evaluate(x["in"], y["out"], verbose=0)["loss"] for x, y in minibatches()
        ]
        measured = sim.evaluate(source(), verbose=0)["loss"]
        assert measured == pytest.approx(np.mean(alone), rel=1e-12)

        seen = sim.predict(source(), verbose=0)[out]
        assert len(seen) == BATCH * len(LENGTHS)
        for i, (x, _) in enumerate(minibatches()):
            expected = sim.predict(x["in"], verbose=0)[out]
            for item, own in zip(seen[BATCH * i :], expected, strict=False):
                assert np.array_equal(item, own)

        history = sim.fit(
            source(), validation_data=source(), shuffle=False, verbose=0
        ).history
        again = sim.evaluate(source(), verbose=0)["loss"]
        assert history["val_loss"] == pytest.approx([again], rel=1e-12)
        fitted = parameters(sim)
    with simulator(net) as sim:
        sgd = keras.optimizers.SGD(0.1)
        for x, y in minibatches():
            sim.train({"in": x["in"], out: y["out"]}, sgd)
        for mine, expected in zip(fitted, parameters(sim), strict=True):
            assert_close(mine, expected)


def test_each_length_is_compiled_once():
    net = with_memory()
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.0), loss="mse")
        traces.shared.forget()
        sim.fit(Numbered(), epochs=2, verbose=0)
        sim.fit(as_dataset(), verbose=0)
        assert len(traces.shared) + len(sim._trainer.traces) == len(set(LENGTHS))


def test_stateful_calls_go_on_over_lengths():
    net = with_memory()
    out = net.probes[0]
    joined = np.concatenate([x["in"] for x, _ in minibatches()], axis=1)
    with simulator(net) as sim:
        sim.compile(loss="mse")
        seen = sim.predict(minibatches(), stateful=True, verbose=0)[out]
        assert sim.n_steps == sum(LENGTHS)
        sim.reset()
        measured = sim.evaluate(minibatches(), stateful=True, verbose=0)["loss"]
        assert sim.n_steps == sum(LENGTHS)
        sim.reset()
        sim.run_steps(sum(LENGTHS), data={"in": joined})
        first = np.concatenate(list(seen[::BATCH]))
        assert np.array_equal(first, sim.data[out][0])
        ends = np.cumsum((0, *LENGTHS))
        errors = (sim.data[out] - joined) ** 2
        parts = [errors[:, a:b].mean() for a, b in zip(ends, ends[1:], strict=False)]
        assert measured == pytest.approx(np.mean(parts), rel=1e-12)


def test_a_generator_that_is_exhausted():
    net = with_memory()
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.0), loss="mse")
        with pytest.warns(UserWarning, match="ran out after 0 minibatches"):
            history = sim.fit(minibatches(), epochs=3, verbose=0).history
        assert len(history["loss"]) == 1


def test_steps_in_an_epoch():
    net = with_memory()
    x, _ = data(3 * BATCH, 2)
    alone = []
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.0), loss="mse")
        for start in range(0, len(x), BATCH):
            part = x[start : start + BATCH]
            alone.append(sim.fit(part, part, verbose=0).history["loss"][0])
        options = {"shuffle": False, "verbose": 0}
        # the second epoch goes on where the first one ended
        found = sim.fit(x, x, epochs=2, steps_per_epoch=1, **options).history["loss"]
        assert found == pytest.approx(alone[:2], rel=1e-12)
        with pytest.warns(UserWarning, match="ran out after 3 of 5 minibatches"):
            found = sim.fit(x, x, steps_per_epoch=5, **options).history["loss"]
        assert found == pytest.approx([np.mean(alone)], rel=1e-12)
        two = sim.evaluate(x, x, steps=2, verbose=0)["loss"]
        first = sim.evaluate(x[: 2 * BATCH], x[: 2 * BATCH], verbose=0)["loss"]
        assert two == pytest.approx(first, rel=1e-12)
        assert len(sim.predict(x, steps=2, verbose=0)[net.probes[0]]) == 2 * BATCH


def test_weights_of_the_model_and_its_summary():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Connection].synapse = None
        node = nengo.Node([0, 0], label="in")
        hidden = nengo.Ensemble(9, 1, label="hidden").neurons
        out = nengo.Node(size_in=2, label="out")
        nengo.Connection(node, hidden, transform=np.ones((9, 2)), label="to hidden")
        nengo.Connection(hidden, out, transform=np.ones((2, 9)), label="to out")
        nengo.Probe(out)
    lines = []
    with simulator(net) as sim:
        model = sim.keras_model
        names = " ".join(weight.path for weight in model.weights)
        model.summary(print_fn=lines.append)
        shown = "\n".join(lines)
        for name in ("to hidden.weights", "to out.weights", "hidden.bias"):
            assert name in names and name in shown
        assert "in" in shown and f"{model.count_params()} weights" in shown
        for refused, instead in (
            (model.export, r"sim\.export"),
            (model.quantize, "freeze_params"),
        ):
            with pytest.raises(NotImplementedError, match=instead):
                refused("int8")
        for refused in (model.to_json, lambda: keras.models.clone_model(model)):
            with pytest.raises(NotImplementedError, match="save_params"):
                refused()
