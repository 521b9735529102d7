"""Training of converted networks: the weights that Keras' own ``fit`` gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl import Converter
from tests.converter import architectures
from tests.converter.architectures import TRAINED
from tests.converter.models import random_weights, some
from tests.converter.regularized import REGULARIZED, row

L = keras.layers

BATCH, N_STEPS = 3, 20

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.02),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.003, epsilon=1e-4),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.002, epsilon=1e-3),
}


def arrays(tensors, seed, n_items):
    """Return random values for each tensor."""
    rng = np.random.RandomState(seed)

    def values(shape, dtype):
        if "int" in dtype:
            return rng.randint(0, 5, size=shape)
        return rng.uniform(0, 1, size=shape).astype("float32")

    return [values((n_items, *tensor.shape[1:]), tensor.dtype) for tensor in tensors]


def in_steps(values):
    """Return values of items as those of one time step each."""
    return values.reshape(len(values), 1, -1)


def train_both(model, optimizer, weights=None, loss="mse", loss_weights=None, **kwargs):
    """Train a model and its network; return the weights of both.

    ``weights``: of samples, one array for each output.
    """
    converter = Converter(model, **{"allow_fallback": False, **kwargs})
    n_items = BATCH * N_STEPS // 2
    x, y = arrays(model.inputs, 0, n_items), arrays(model.outputs, 1, n_items)
    nodes = [converter.inputs[tensor] for tensor in model.inputs]
    probes = [converter.outputs[tensor] for tensor in model.outputs]
    with nengo_dl.Simulator(
        converter.net, minibatch_size=BATCH, progress_bar=False
    ) as sim:
        sim.compile(optimizer=optimizer(), loss=loss, loss_weights=loss_weights)
        sim.fit(
            dict(zip(nodes, map(in_steps, x), strict=True)),
            dict(zip(probes, map(in_steps, y), strict=True)),
            sample_weight=weights and dict(zip(probes, weights, strict=True)),
            epochs=2,
            shuffle=False,
            verbose=0,
        )
        # a flat structure, whatever the model's own is
        flat = keras.Model(model.inputs, model.outputs)
        flat.compile(optimizer(), loss, loss_weights, jit_compile=False)
        flat.fit(
            x,
            y,
            BATCH,
            sample_weight=weights,
            epochs=2,
            shuffle=False,
            verbose=0,
        )
        assert int(flat.optimizer.iterations) == N_STEPS
        expected = [np.array(v) for v in model.get_weights()]
        converter.to_keras(sim)
    return model.get_weights(), expected


def train_any(make, optimizer):
    """Train both; a kernel with gaps is trained in a TensorNode."""
    if make is not architectures.causal_convolutions:
        return train_both(random_weights(make()), optimizer)
    with pytest.warns(UserWarning, match="dilation_rate"):
        return train_both(random_weights(make()), optimizer, allow_fallback=True)


def check(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("optimizer", some(OPTIMIZERS, "adam"))
def test_optimizers(optimizer):
    model = random_weights(architectures.le_net())
    before = [np.array(v) for v in model.get_weights()]
    found, expected = train_both(model, OPTIMIZERS[optimizer])
    check(found, expected)
    assert max(np.max(np.abs(a - b)) for a, b in zip(found, before, strict=True)) > 0.01


@pytest.mark.parametrize(
    "make",
    some(TRAINED, architectures.shared_layers),
)
def test_architectures(make):
    check(*train_any(make, OPTIMIZERS["momentum"]))


@pytest.mark.everything
@pytest.mark.parametrize("make", TRAINED)
def test_architectures_with_adam(make):
    check(*train_any(make, OPTIMIZERS["adam"]))


def test_weights_of_samples_and_losses():
    model = random_weights(architectures.several_outputs())
    n_items = BATCH * N_STEPS // 2
    rng = np.random.RandomState(2)
    weights = [rng.uniform(size=n_items) for _ in model.outputs]
    check(
        *train_both(
            model,
            OPTIMIZERS["sgd"],
            weights=weights,
            loss=["mse", "binary_crossentropy", "mae"],
            loss_weights=[1.0, 0.5, 2.0],
        )
    )


def test_layers_that_are_frozen():
    model = random_weights(architectures.perceptron())
    model.layers[1].trainable = False
    check(*train_both(model, OPTIMIZERS["sgd"]))


def test_calls_with_weights_of_their_own():
    model = random_weights(architectures.shared_layers())
    with pytest.raises(ValueError, match="split_shared_weights=True"):
        train_both(model, OPTIMIZERS["sgd"], split_shared_weights=True)


def train_fallen(name, optimizer):
    """Train a model with layers that become TensorNodes, and its network."""
    model = random_weights(REGULARIZED[name]())
    with pytest.warns(UserWarning, match="Falling back to a TensorNode"):
        return train_both(model, optimizer, allow_fallback=True)


@pytest.mark.parametrize("name", some(REGULARIZED, "nested"))
def test_layers_that_ask_something_of_training(name):
    check(*train_fallen(name, OPTIMIZERS["momentum"]))


@pytest.mark.everything
@pytest.mark.parametrize("name", [n for n in REGULARIZED if n != "embedding"])
def test_layers_that_ask_something_of_training_with_adam(name):
    check(*train_fallen(name, OPTIMIZERS["adam"]))


class WithSums(keras.optimizers.Adam):
    """Takes the gradient of each row of an Embedding as a sum over its look-ups."""

    def apply(self, grads, trainable_variables=None):
        """Take a step."""
        super().apply([tf.convert_to_tensor(g) for g in grads], trainable_variables)


def test_adam_squares_the_sum_of_the_gradients_of_a_row():
    check(*train_fallen("embedding", lambda: WithSums(0.003, epsilon=1e-4)))


def test_verify_trains_keras_with_all_that_layers_ask_of_it():
    model = random_weights(
        row(
            L.Embedding(5, 3, embeddings_regularizer=keras.regularizers.L2(0.1)),
            L.Flatten(),
            L.Dense(
                4, "tanh", activity_regularizer="l2", kernel_constraint="unit_norm"
            ),
            shape=(3,),
            dtype="int32",
        )
    )
    with pytest.warns(UserWarning, match="Keras squares the gradients of a row"):
        converter = Converter(model)
    assert converter.verify(training=True)


def test_verify_names_layers_that_draw_random_numbers():
    model = keras.Sequential([keras.Input((4,)), L.Dropout(0.5, name="drop")])
    with pytest.warns(UserWarning, match="Falling back"):
        converter = Converter(keras.Sequential([model, L.Dense(2)]))
    with pytest.raises(ValueError, match="draw random numbers in training: 'drop'"):
        converter.verify(training=True)
