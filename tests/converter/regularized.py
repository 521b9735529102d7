"""Keras models whose layers ask something of training, or have no native form."""

import keras

L = keras.layers
ops = keras.ops
regularizers, constraints = keras.regularizers, keras.constraints


class Penalty(L.Layer):
    """Adds to the loss, more in training."""

    def call(self, x, training=False):
        self.add_loss(0.05 * ops.mean(x**2))
        if training:
            self.add_loss(ops.mean(0.01 * x))
        return x


class Scale(L.Layer):
    """Factors that are constrained and regularized, and what is not trained."""

    def build(self, shape):
        self.factors = self.add_weight(
            shape=(shape[-1],),
            initializer="ones",
            regularizer=regularizers.L1(0.02),
            constraint=constraints.NonNeg(),
            name="factors",
        )
        self.fixed = self.add_weight(
            shape=(shape[-1],), initializer="ones", trainable=False, name="fixed"
        )

    def call(self, x):
        return x * self.factors + self.fixed


class Block(L.Layer):
    """A layer of layers, of which one is called twice."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = L.Dense(5, "tanh", kernel_regularizer="l2")
        self.penalty = Penalty()

    def build(self, shape):
        self.inner.build(shape)
        super().build(shape)

    def call(self, x):
        return self.penalty(self.inner(self.penalty(x)))


def row(*layers, shape=(5,), dtype=None):
    """Return a model of layers in a row, with a layer of three values at the end."""
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers, L.Dense(3)])


def shared():
    dense = L.Dense(5, "tanh", kernel_regularizer="l2", activity_regularizer="l1")
    x = keras.Input((5,))
    return keras.Model(x, L.Dense(3)(dense(dense(x))))


def nested():
    inner = row(L.Dense(4, "relu", bias_regularizer=regularizers.L1(0.1)), Penalty())
    x = keras.Input((5,))
    return keras.Model(x, L.Dense(2, kernel_constraint="unit_norm")(inner(x)))


def nested_twice():
    inner = keras.Sequential(
        [keras.Input((5,)), L.Dense(5, "tanh", kernel_regularizer="l2")]
    )
    x = keras.Input((5,))
    return keras.Model(x, L.Dense(2)(inner(inner(x))))


def several_outputs():
    x = keras.Input((5,))
    y = L.Dense(6, "tanh", activity_regularizer="l2")(x)
    first = L.Dense(2, kernel_regularizer="l2")(y)
    second = L.Dense(3, "softmax", kernel_constraint=constraints.MaxNorm(0.5))(y)
    return keras.Model(x, [first, second])


def several_inputs():
    a, b = keras.Input((5,)), keras.Input((4,))
    y = L.Multiply()([L.Dense(4, kernel_regularizer="l1")(a), b])
    return keras.Model([a, b], L.Dense(2)(Penalty()(y)))


def frozen():
    layer = L.Dense(4, "tanh", kernel_regularizer="l2", kernel_constraint="unit_norm")
    model = row(layer, Penalty())
    layer.trainable = False
    return model


#: models by what is special about them
REGULARIZED = {
    "kernel": lambda: row(L.Dense(4, "relu", kernel_regularizer=regularizers.L2(0.1))),
    "bias": lambda: row(L.Dense(4, "relu", bias_regularizer=regularizers.L1(0.1))),
    "orthogonal": lambda: row(
        L.Dense(4, kernel_regularizer=regularizers.OrthogonalRegularizer(0.1))
    ),
    "activity": lambda: row(L.Dense(4, "tanh", activity_regularizer="l2")),
    "activity layer": lambda: row(L.Dense(4, "relu"), L.ActivityRegularization(0.1)),
    "norm": lambda: row(L.Dense(4, kernel_constraint=constraints.MaxNorm(0.5))),
    "unit norm": lambda: row(
        L.Dense(4, kernel_constraint="unit_norm", bias_constraint="non_neg")
    ),
    "convolutions": lambda: row(
        L.Conv2D(3, 2, kernel_regularizer="l2", bias_constraint="non_neg"),
        L.DepthwiseConv2D(2, depthwise_regularizer="l1"),
        L.SeparableConv2D(2, 2, pointwise_constraint="unit_norm"),
        L.Flatten(),
        shape=(5, 5, 2),
    ),
    "norms of filters": lambda: row(
        L.Conv1D(3, 2, kernel_constraint=constraints.MinMaxNorm(0.5, 1, axis=[0, 1])),
        L.Conv1DTranspose(2, 2, kernel_regularizer="l2"),
        L.Flatten(),
        shape=(4, 2),
    ),
    "normalization": lambda: row(
        L.LayerNormalization(gamma_regularizer="l2", beta_constraint="non_neg")
    ),
    "slopes": lambda: row(
        L.Dense(4), L.PReLU(alpha_regularizer="l2", alpha_constraint="non_neg")
    ),
    "lstm": lambda: row(
        L.LSTM(3, recurrent_regularizer="l2", bias_constraint="non_neg"), shape=(3, 2)
    ),
    "gru": lambda: row(
        L.Bidirectional(
            L.GRU(2, kernel_regularizer="l1", recurrent_constraint="unit_norm")
        ),
        shape=(3, 2),
    ),
    "einsum": lambda: row(
        L.EinsumDense("ab,bc->ac", 4, bias_axes="c", kernel_regularizer="l2")
    ),
    "embedding": lambda: row(
        L.Embedding(5, 3, embeddings_regularizer="l2"),
        L.Flatten(),
        shape=(3,),
        dtype="int32",
    ),
    "function": lambda: row(L.Lambda(lambda x: ops.sin(x)), Penalty()),
    "operations": lambda: row(Penalty(), L.Dense(4, ops.gelu, kernel_regularizer="l2")),
    "own weights": lambda: row(Scale(), L.Dense(4, "tanh"), Scale()),
    "layers in a layer": lambda: row(Block(), Block()),
    "shared": shared,
    "nested": nested,
    "nested twice": nested_twice,
    "several outputs": several_outputs,
    "several inputs": several_inputs,
    "frozen": frozen,
}
