import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, ValidationError

import nengo_dl
from nengo_dl.inputs.arrays import _finite
from nengo_dl.inputs.checks import device_name
from nengo_dl.inputs.endpoints import Endpoints

with nengo.Network() as NET:
    A = nengo.Node([0, 0], label="stimulus")
    B = nengo.Node(np.sin, label="other")
    C = nengo.Node(np.cos, label="other")
    RELAY = nengo.Node(size_in=2, label="relay")
with nengo.Network():
    STRANGER = nengo.Node(0, label="stranger")
NODES = (A, B, C)


def present(data, n_steps=5, minibatch_size=None, nodes=NODES):
    return Endpoints(nodes, (), minibatch_size).presented(data, n_steps)


@pytest.mark.parametrize(
    "name",
    [None, "/cpu:0", "/CPU:0", "/device:CPU:0", "/job:localhost/task:0/device:CPU:0"],
)
def test_devices_that_there_are(name):
    assert device_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "/gpu:7",
        "/cpu:9",
        "/tpu:0",
        "/device:XLA_GPU:0",
        *([] if tf.config.list_physical_devices("GPU") else ["gpu"]),
        "/job:localhost/device:GPU:8",
        "/job:worker/task:1/device:CPU:0",
        "/job:localhost/task:3/device:CPU:0",
    ],
)
def test_devices_that_there_are_not(name):
    match = rf"No device '{name}' on this machine.* '/cpu:0'.* runs on the CPU"
    with pytest.warns(NengoWarning, match=match) as caught:
        assert device_name(name) == "/cpu:0"
    assert caught[0].filename == __file__


@pytest.mark.parametrize("name", ["/foo:0", "nonsense", "", 3])
def test_what_is_no_device(name):
    with pytest.raises(ValidationError, match=r"No device .* '/cpu:0'"):
        device_name(name)


def test_a_shared_label_is_the_name_of_the_first():
    values = np.ones((5, 1))
    assert list(present({"other": values, "other_1": values})) == [B, C]


def test_no_data():
    assert present(None) == {}
    assert present({}) == {}


def test_batch_axis_may_be_left_out_without_a_minibatch():
    values = np.arange(10.0).reshape(5, 2)
    for data in (values, values[None]):
        (result,) = present({A: data}).values()
        assert np.array_equal(result, values[None])


@pytest.mark.parametrize(
    "data",
    [
        {"stimulus": np.ones((5, 2))},
        [np.ones((5, 2))],
        (np.ones((1, 5, 2)),),
    ],
    ids=["label", "list", "tuple"],
)
def test_labels_and_lists(data):
    assert list(present(data)) == [A]


def test_lists_follow_the_order_of_the_nodes():
    result = present([np.full((5, n), n) for n in (2, 1)])
    assert list(result) == [A, B]
    assert result[B].shape == (1, 5, 1)


@pytest.mark.parametrize("form", [np.array, np.ndarray.tolist])
def test_one_array_for_one_node(form):
    (result,) = present(form(np.ones((5, 2))), nodes=(A,)).values()
    assert np.array_equal(result, np.ones((1, 5, 2)))


@pytest.mark.parametrize("minibatch_size", [1, 3])
def test_minibatches(minibatch_size):
    values = np.random.rand(minibatch_size, 5, 2)
    assert np.array_equal(present({A: values}, 5, minibatch_size)[A], values)


@pytest.mark.parametrize(
    "shape, minibatch_size, expected",
    [
        ((4, 2), None, "(1, 5, 2)"),
        ((5, 3), None, "(1, 5, 2)"),
        ((2, 5, 2), None, "(1, 5, 2)"),
        ((5, 2), 1, "(1, 5, 2)"),
        ((5, 2), 3, "(3, 5, 2)"),
        ((2, 5, 2), 3, "(3, 5, 2)"),
        ((3, 5), 3, "(3, 5, 2)"),
        ((), None, "(1, 5, 2)"),
        ((5,), None, "(1, 5, 2)"),
    ],
    ids=str,
)
def test_wrong_shapes_are_reported_with_node_given_and_expected(
    shape, minibatch_size, expected
):
    with pytest.raises(ValidationError) as error:
        present({A: np.zeros(shape)}, 5, minibatch_size)
    message = str(error.value)
    assert "stimulus" in message
    assert str(shape) in message
    assert expected in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value):
    data = np.zeros((5, 2))
    data[2, 1] = value
    with pytest.raises(ValidationError, match="stimulus.*NaN or infinity"):
        present({A: data})


@pytest.mark.parametrize("data", ["text", [["a", "b"]] * 5, [[1, 2], [3]], object()])
def test_values_that_are_no_numbers(data):
    with pytest.raises(ValidationError, match=r"stimulus.*\(1, 5, 2\)"):
        present({A: data})


@pytest.mark.parametrize(
    "key, message",
    [
        (STRANGER, "stranger.*not part of the simulated network.*stimulus.*other"),
        (RELAY, r"relay.*has inputs \(size_in=2\).*`nengo.Node\(np.zeros\(2\)\)`"),
        ("nobody", "no input Node has the label 'nobody'.*stimulus"),
        (NET, "Expected an input Node, its label or its name; got <Network"),
        (3, "Expected an input Node, its label or its name; got 3"),
    ],
    ids=["stranger", "has input", "unknown label", "network", "number"],
)
def test_keys_that_data_cannot_be_presented_to(key, message):
    with pytest.raises(ValidationError, match=message):
        present({key: np.zeros((5, 2))})


def test_networks_with_an_input_node_say_so():
    with nengo.Network(label="part") as part:
        part.input = nengo.Node([0, 0])
        part.relay = nengo.Node(size_in=2)
    with pytest.raises(ValidationError, match=r'"part".*It has `\.input`\. The inp'):
        present({part: np.zeros((5, 2))}, nodes=(part.input,))


def test_too_many_arrays():
    with pytest.raises(ValidationError, match="4 arrays for 3 input Nodes.*stimulus"):
        present([np.zeros((5, 1))] * 4)


def test_one_array_for_several_nodes():
    with pytest.raises(ValidationError, match=r"this model has 3.*\{Node: array\}"):
        present(np.zeros((5, 2)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("view", ["whole", "reversed", "repeated", "part", "empty"])
def test_whether_numbers_are_finite(dtype, view):
    for value in (0.0, np.finfo(dtype).max, np.nan, np.inf, -np.inf):
        array = np.ones((4, 6, 3), dtype)
        array[2, 3, 1] = value
        array = {
            "whole": array,
            "reversed": array[:, ::-1],
            "repeated": np.broadcast_to(array[:, 3:4], (4, 9, 3)),
            "part": array[1:3, 2:5],
            "empty": array[:, :0],
        }[view]
        assert _finite(array) == bool(np.isfinite(array).all())
        assert _finite(array) == (bool(np.isfinite(value)) or view == "empty")


NOT_DENSE = {
    "SparseTensor": (tf.sparse.from_dense, r"tf\.sparse\.to_dense\("),
    "RaggedTensor": (tf.RaggedTensor.from_tensor, r"to_tensor\(\)"),
    "csr_array": (
        lambda x: pytest.importorskip("scipy.sparse").csr_array(x[0]),
        r"toarray\(\)",
    ),
}


@pytest.mark.parametrize("kind", NOT_DENSE)
def test_what_is_not_dense_is_named_with_what_makes_it_so(kind):
    make, dense = NOT_DENSE[kind]
    values = make(np.ones((1, 3, 1), "float32"))
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0], label="fed")
        other, probe = nengo.Node([0, 0]), nengo.Probe(node, label="seen")
    named = f"real numbers but a {kind}.*{dense}"
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        for call in (
            lambda: sim.run_steps(3, data={node: values}),
            lambda: sim.predict({node: values}, verbose=0),
            lambda: sim.predict([values, np.ones((1, 3, 2))], verbose=0),
            lambda: sim.loss({node: values, probe: np.ones((1, 3, 1))}),
            lambda: sim.loss({node: np.ones((1, 3, 1)), probe: values}),
        ):
            with pytest.raises(ValidationError, match=named):
                call()
        if isinstance(values, tf.SparseTensor | tf.RaggedTensor):
            with pytest.raises(ValidationError, match=named):
                sim.keras_model.predict({"fed": values}, verbose=0)
            with pytest.raises(ValidationError, match=named):
                sim.keras_model({"fed": values})
        assert sim.n_steps == 0 and other in net.nodes


def test_nested_lists_for_several_nodes_are_ambiguous():
    x, wide = np.ones((2, 3, 1)), np.ones((2, 3, 2))
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        for size in (1, 2, 1):
            nengo.Probe(nengo.Node(np.zeros(size), label=f"of size {size}"))
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        for lists in (
            [x.tolist(), wide.tolist()],
            (x.tolist(), wide),
            [x.tolist(), wide.tolist(), x.tolist()],
            [x.tolist(), x.tolist()],
        ):
            with pytest.raises(
                ValidationError, match=r"^x: .*ambiguous.*dict.*list of NumPy arrays"
            ):
                sim.predict(lists, verbose=0)
        with pytest.warns(NengoWarning, match="has 2 array"):
            found = sim.predict([x, wide], verbose=0)
        # the items of one array, for the first Node
        with pytest.warns(NengoWarning):
            single = sim.predict(x.tolist(), verbose=0)
    for probe in net.probes[:1]:
        assert np.array_equal(found[probe], single[probe])
        assert np.array_equal(found[probe], x)
