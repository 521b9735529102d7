"""Keras models of well-known kinds, small enough for tests, and random ones."""

import keras
import numpy as np

L = keras.layers
ops = keras.ops


def _model(shape, function):
    x = keras.Input(shape)
    return keras.Model(x, function(x))


def _in_a_row(shape, *layers):
    return keras.Sequential([keras.Input(shape), *layers])


def _classifier(x, classes=3):
    return L.Dense(classes)(L.GlobalAveragePooling2D()(x))


def _conv(filters, size=3, stride=1, activation="relu", **kwargs):
    kwargs.setdefault("padding", "same")
    return L.Conv2D(filters, size, stride, activation=activation, **kwargs)


def _normalized(x, layer, activation="relu"):
    """Return a layer, a normalisation and an activation in a row."""
    x = L.BatchNormalization()(layer(x))
    return L.Activation(activation)(x) if activation else x


def perceptron():
    return _in_a_row((6,), L.Dense(8, "relu"), L.Dense(5, "tanh"), L.Dense(3))


def logistic_regression():
    return _in_a_row((6,), L.Dense(3, "sigmoid"))


def deep_perceptron():
    return _in_a_row((6,), *[L.Dense(6, "tanh") for _ in range(12)])


def autoencoder():
    sizes = [L.Dense(n, "relu") for n in (6, 3, 6)]
    return _in_a_row((12,), *sizes, L.Dense(12, "sigmoid"))


def leaky_perceptron():
    return _in_a_row(
        (6,),
        L.Dense(8),
        L.LeakyReLU(),
        L.Dense(8, "leaky_relu"),
        L.Dense(5),
        L.ReLU(negative_slope=0.1),
    )


def normalized_perceptron():
    def function(x):
        x = L.Rescaling(2.0, -1.0)(x)
        for _ in range(3):
            x = _normalized(x, L.Dense(5, use_bias=False))
        return L.Dense(2)(x)

    return _model((6,), function)


def highway_of_sums():
    def function(x):
        for _ in range(4):
            x = L.Add()([x, L.Dense(6, "relu")(x), L.Dense(6, "tanh")(x)])
        return x

    return _model((6,), function)


def mixture_of_heads():
    def function(x):
        heads = [L.Dense(4, name)(x) for name in ("relu", "tanh", "sigmoid", "relu6")]
        return L.Dense(2)(L.Concatenate()([*heads, L.Average()(heads)]))

    return _model((6,), function)


def tall():
    """20 convolutions."""
    return _model(
        (8, 8, 2),
        lambda x: _classifier(_chain(x, [_conv(3) for _ in range(20)])),
    )


def _chain(x, layers):
    for layer in layers:
        x = layer(x)
    return x


def le_net():
    return _in_a_row(
        (12, 12, 1),
        L.Conv2D(3, 3, activation="tanh"),
        L.AveragePooling2D(2),
        L.Conv2D(4, 3, activation="tanh"),
        L.AveragePooling2D(2),
        L.Flatten(),
        L.Dense(6, "tanh"),
        L.Dense(3),
    )


def all_convolutional():
    return _in_a_row(
        (9, 9, 1),
        _conv(3),
        _conv(4, stride=2),
        _conv(4, 1),
        _conv(3, 1, activation=None),
        L.GlobalAveragePooling2D(),
    )


def vgg():
    layers = []
    for filters in (2, 4):
        layers += [_conv(filters), _conv(filters), L.AveragePooling2D(2)]
    return _in_a_row(
        (8, 8, 1), *layers, L.Flatten(), L.Dense(6, "relu"), L.Dropout(0.5), L.Dense(3)
    )


def residual():
    def function(x):
        x = _conv(4)(x)
        for stride in (1, 2):
            y = _normalized(x, L.Conv2D(4, 3, stride, "same", use_bias=False))
            y = _normalized(y, L.Conv2D(4, 3, padding="same"), None)
            short = x if stride == 1 else L.Conv2D(4, 1, stride)(x)
            x = L.Activation("relu")(L.Add()([short, y]))
        return _classifier(x)

    return _model((8, 8, 2), function)


def residual_before_activation():
    def function(x):
        x = L.Conv2D(4, 3, padding="same")(x)
        for _ in range(2):
            y = L.ReLU()(L.BatchNormalization()(x))
            y = _normalized(y, L.Conv2D(4, 3, padding="same"))
            x = x + L.Conv2D(4, 3, padding="same")(y)
        return _classifier(L.ReLU()(L.BatchNormalization()(x)))

    return _model((6, 6, 2), function)


def bottlenecks():
    def function(x):
        x = _conv(8, 1)(x)
        for _ in range(2):
            y = _normalized(x, L.Conv2D(2, 1, use_bias=False))
            y = _normalized(y, L.Conv2D(2, 3, padding="same", use_bias=False))
            y = _normalized(y, L.Conv2D(8, 1, use_bias=False), None)
            x = ops.relu(x + y)
        return _classifier(x)

    return _model((6, 6, 2), function)


def grouped_bottlenecks():
    def function(x):
        x = _conv(8, 1)(x)
        y = _conv(4, 1)(x)
        y = _conv(4, 3, groups=2)(y)
        return _classifier(L.Add()([x, _conv(8, 1, activation=None)(y)]))

    return _model((6, 6, 2), function)


def inception():
    def function(x):
        branches = [
            _conv(2, 1)(x),
            _conv(3)(_conv(2, 1)(x)),
            _conv(2, 5)(x),
            _conv(2, 1)(L.AveragePooling2D(3, 1, "same")(x)),
        ]
        return L.Dense(3)(L.Flatten()(L.Concatenate()(branches)))

    return _model((8, 8, 2), function)


def inception_of_factors():
    def function(x):
        y = _conv(2, (1, 3))(_conv(2, (3, 1))(x))
        z = _conv(2, (5, 1), (2, 1))(_conv(2, (1, 5), (1, 2))(x))
        return _classifier(L.Concatenate()([L.AveragePooling2D(2)(y), z]))

    return _model((8, 8, 2), function)


def dense_blocks():
    def function(x):
        for _ in range(3):
            y = L.ReLU()(L.BatchNormalization()(x))
            x = L.Concatenate()([x, L.Conv2D(2, 3, padding="same")(y)])
        return _classifier(L.AveragePooling2D(2)(_conv(3, 1)(x)))

    return _model((6, 6, 2), function)


def squeeze_and_expand():
    def function(x):
        for _ in range(2):
            y = _conv(2, 1)(x)
            x = L.Concatenate()([_conv(3, 1)(y), _conv(3, 3)(y)])
        return L.GlobalAveragePooling2D()(_conv(3, 1)(x))

    return _model((6, 6, 2), function)


def depthwise():
    def function(x):
        for stride in (1, 2):
            layer = L.DepthwiseConv2D(3, stride, "same", use_bias=False)
            x = _normalized(x, layer, "relu6")
            x = _normalized(x, L.Conv2D(4, 1, use_bias=False), "relu6")
        return _classifier(x)

    return _model((8, 8, 2), function)


def inverted_residuals():
    def function(x):
        x = L.ZeroPadding2D(((0, 1), (0, 1)))(L.Rescaling(2.0, -1.0)(x))
        x = _normalized(x, L.Conv2D(4, 3, 2, use_bias=False), "relu6")
        for _ in range(2):
            y = _normalized(x, L.Conv2D(8, 1, use_bias=False), "relu6")
            layer = L.DepthwiseConv2D(3, padding="same", use_bias=False)
            y = _normalized(y, layer, "relu6")
            y = L.BatchNormalization()(L.Conv2D(4, 1, use_bias=False)(y))
            x = L.Add()([x, y])
        return L.Dense(3)(L.Dropout(0.2)(L.GlobalAveragePooling2D()(x)))

    return _model((9, 9, 3), function)


def separable():
    def function(x):
        y = L.SeparableConv2D(4, 3, padding="same", activation="relu")(x)
        y = L.SeparableConv2D(4, 3, padding="same")(y)
        return _classifier(L.Add()([L.Conv2D(4, 1)(x), y]))

    return _model((6, 6, 2), function)


def patches():
    """Convolutions over patches, as in ConvMixer."""

    def function(x):
        x = L.Conv2D(4, 2, 2, activation="relu")(x)
        for _ in range(2):
            y = L.DepthwiseConv2D(3, padding="same", activation="relu")(x)
            x = _normalized(L.Add()([x, y]), L.Conv2D(4, 1))
        return _classifier(x)

    return _model((8, 8, 2), function)


def mixer():
    """Products over places, then over channels."""

    def function(x):
        x = L.Dense(4)(L.Reshape((9, 4))(x))
        for _ in range(2):
            y = L.Permute((2, 1))(x)
            y = L.Dense(9)(L.Dense(5, "relu")(y))
            x = x + L.Permute((2, 1))(y)
            x = x + L.Dense(4)(L.Dense(6, "tanh")(x))
        return L.Dense(3)(L.GlobalAveragePooling1D()(x))

    return _model((3, 3, 4), function)


def u_net():
    def function(x):
        skips = []
        for filters in (2, 4):
            x = _conv(filters)(x)
            skips.append(x)
            x = L.AveragePooling2D(2)(x)
        x = _conv(4)(x)
        for filters, skip in zip((4, 2), reversed(skips), strict=True):
            x = L.Concatenate()([L.UpSampling2D(2)(x), skip])
            x = _conv(filters)(x)
        return L.Conv2D(1, 1)(x)

    return _model((8, 8, 1), function)


def u_net_of_transposed_convolutions():
    def function(x):
        x = skip = _conv(2)(x)
        x = _conv(3, stride=2)(x)
        x = L.Conv2DTranspose(2, 2, 2, activation="relu")(x)
        return L.Conv2D(1, 1, activation="sigmoid")(L.Concatenate()([x, skip]))

    return _model((8, 8, 1), function)


def convolutional_autoencoder():
    return _in_a_row(
        (8, 8, 1),
        _conv(3, stride=2),
        _conv(2, stride=2),
        L.UpSampling2D(),
        _conv(3),
        L.UpSampling2D(),
        _conv(1, activation="sigmoid"),
    )


def cropped_skips():
    def function(x):
        y = L.Conv2D(2, 3, activation="relu")(L.Conv2D(2, 3, activation="relu")(x))
        return L.Conv2D(2, 1)(L.Concatenate()([L.Cropping2D(2)(x), y]))

    return _model((8, 8, 2), function)


def pyramid():
    """Features of several sizes, the coarse ones added to the fine ones."""

    def function(x):
        fine = _conv(3)(x)
        coarse = _conv(3, stride=2)(fine)
        merged = L.Conv2D(3, 1)(fine) + L.UpSampling2D()(L.Conv2D(3, 1)(coarse))
        return [L.Conv2D(2, 1)(merged), L.Conv2D(2, 1)(coarse)]

    return _model((6, 6, 2), function)


def sequence_convolutions():
    return _in_a_row(
        (12, 2),
        L.Conv1D(3, 3, activation="relu"),
        L.AveragePooling1D(2),
        L.Conv1D(3, 3, padding="same", strides=2),
        L.GlobalAveragePooling1D(),
        L.Dense(2),
    )


def causal_convolutions():
    def function(x):
        for rate in (1, 2, 4):
            y = L.Conv1D(2, 2, padding="causal", dilation_rate=rate)(x)
            x = L.Add()([x, L.Activation("tanh")(y)])
        return x[:, -1]

    return _model((9, 2), function)


def volumes():
    return _in_a_row(
        (4, 4, 4, 1),
        L.Conv3D(2, 2, activation="relu"),
        L.ZeroPadding3D(1),
        # averages in three dimensions TensorFlow has in single precision only
        L.Conv3D(2, 2, 2),
        L.Flatten(),
        L.Dense(2),
    )


def siamese():
    a, b = keras.Input((5,)), keras.Input((5,))
    tower = _in_a_row((5,), L.Dense(4, "relu"), L.Dense(3))
    return keras.Model([a, b], L.Dense(1)(L.Subtract()([tower(a), tower(b)])))


def wide_and_deep():
    a, b = keras.Input((5,)), keras.Input((3,))
    deep = L.Dense(4, "relu")(L.Dense(4, "relu")(L.Concatenate()([a, b])))
    return keras.Model([a, b], L.Dense(1)(L.Concatenate()([deep, b])))


def images_and_numbers():
    image, numbers = keras.Input((6, 6, 1)), keras.Input((3,))
    x = L.Flatten()(_conv(2, stride=2)(image))
    x = L.Dense(4, "relu")(L.Concatenate()([x, L.Dense(3, "tanh")(numbers)]))
    return keras.Model({"image": image, "numbers": numbers}, {"y": L.Dense(2)(x)})


def several_outputs():
    def function(x):
        shared = L.Dense(6, "relu")(x)
        return [L.Dense(2)(shared), L.Dense(3, "sigmoid")(shared), shared]

    return _model((4,), function)


def shared_layers():
    def function(x):
        dense = L.Dense(4, "tanh")
        return L.Dense(2)(dense(dense(dense(x))) + x)

    return _model((4,), function)


def shared_convolutions():
    def function(x):
        layer = _conv(2)
        sizes = [x, L.AveragePooling2D(2)(x)]
        return [L.GlobalAveragePooling2D()(layer(size)) for size in sizes]

    return _model((6, 6, 2), function)


def nested():
    def function(x):
        inner = _in_a_row((8, 8, 1), _conv(2), L.AveragePooling2D(2))
        return L.Dense(2)(L.Flatten()(_conv(2)(inner(x))))

    return _model((8, 8, 1), function)


def arithmetic():
    def function(x):
        y = 2 * L.Dense(4, "relu")(x) - 1
        z = (3 - y) / 4 + x * np.array([1, 2, 3, 4], x.dtype)
        parts = ops.split(ops.concatenate([y, -z], axis=-1), 2, axis=-1)
        return ops.stack([ops.mean(part, axis=-1) for part in parts], axis=-1)

    return _model((4,), function)


def elements_moved():
    def function(x):
        x = L.Dense(4, "relu")(ops.transpose(x, (0, 2, 1)))
        x = ops.flip(x[:, 1:], axis=1)
        x = ops.pad(ops.roll(x, 1, axis=2), ((0, 0), (1, 0), (0, 2)))
        return L.Dense(2)(ops.reshape(x, (-1, 18)))

    return _model((5, 3), function)


def upsampled_and_repeated():
    def function(x):
        y = L.UpSampling1D(2)(L.Reshape((4, 2))(x))
        z = L.Dense(2, "tanh")(L.RepeatVector(8)(L.Dense(3)(x)))
        return L.Cropping1D((1, 2))(L.Average()([y, z]))

    return _model((8,), function)


#: every layer of these is native, with ``inference_only`` at least
NATIVE = [
    perceptron,
    logistic_regression,
    deep_perceptron,
    autoencoder,
    leaky_perceptron,
    normalized_perceptron,
    highway_of_sums,
    mixture_of_heads,
    tall,
    le_net,
    all_convolutional,
    vgg,
    residual,
    residual_before_activation,
    bottlenecks,
    grouped_bottlenecks,
    inception,
    inception_of_factors,
    dense_blocks,
    squeeze_and_expand,
    depthwise,
    inverted_residuals,
    separable,
    patches,
    mixer,
    u_net,
    u_net_of_transposed_convolutions,
    convolutional_autoencoder,
    cropped_skips,
    pyramid,
    sequence_convolutions,
    causal_convolutions,
    volumes,
    siamese,
    wide_and_deep,
    images_and_numbers,
    several_outputs,
    shared_layers,
    shared_convolutions,
    nested,
    arithmetic,
    elements_moved,
    upsampled_and_repeated,
]

#: layers of these do something else in training
NORMALIZED = [
    normalized_perceptron,
    vgg,
    residual,
    residual_before_activation,
    bottlenecks,
    dense_blocks,
    depthwise,
    inverted_residuals,
    patches,
]

TRAINED = [make for make in NATIVE if make not in NORMALIZED]


def random_model(seed):
    """Return a functional model of layers that chance has chosen."""
    rng = np.random.RandomState(seed)
    start = keras.Input((6, 6, 2))
    tensors = [start]
    shared = L.Conv2D(2, 3, padding="same", activation="tanh")

    def one():
        return tensors[rng.randint(len(tensors))]

    def pick(*choices):
        return choices[rng.randint(len(choices))]

    def convolution(x):
        filters, size = map(int, rng.randint(1, 4, size=2))
        return L.Conv2D(filters, size, padding="same", use_bias=pick(True, False))(x)

    def activation(x):
        names = ("relu", "tanh", "sigmoid", "leaky_relu", "relu6")
        return L.Activation(pick(*names))(x)

    def separable(x):
        kind = pick(L.DepthwiseConv2D, lambda *a, **k: L.SeparableConv2D(3, *a, **k))
        return kind(2, padding="same", activation="relu")(x)

    def concatenate(x):
        return L.Concatenate()([x, one()])

    def merge(x):
        other = L.Conv2D(x.shape[-1], 1)(one())
        return pick(L.Add(), L.Subtract(), L.Average())([x, other])

    def pool(x):
        return L.AveragePooling2D(2, 1, "same")(x) * 0.5 + 1

    def move(x):
        return L.Permute((2, 1, 3))(L.Dense(x.shape[-1])(x))

    def cut(x):
        return L.ZeroPadding2D(((1, 0), (0, 1)))(x[:, 1:, :-1])

    def size(x):
        return L.UpSampling2D(2)(L.Conv2D(2, 2, 2)(x))

    def channels(x):
        return ops.concatenate([ops.mean(x, axis=-1, keepdims=True), -x], axis=-1)

    def again(x):
        return shared(L.Conv2D(2, 1)(x))

    steps = [
        convolution,
        activation,
        separable,
        concatenate,
        merge,
        pool,
        move,
        cut,
        size,
        channels,
        again,
    ]
    for _ in range(7):
        tensors.append(pick(*steps)(one()))
    return keras.Model(start, [tensors[-1], L.Dense(2)(L.Flatten()(tensors[-2]))])
