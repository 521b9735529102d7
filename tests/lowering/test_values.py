"""SignalValues against a NumPy array, with eager tensors."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role
from nengo_dl.lowering.indexing import MAX_SLICES
from nengo_dl.lowering.values import SignalValues
from nengo_dl.plan.layout import Block, Run, SignalLayout, View, join_runs

SIZES = (30, 7, 1)


def make_layout(role=Role.STATE, sizes=SIZES):
    blocks = []
    for i, size in enumerate(sizes):
        signal = Signal(np.zeros(size))
        blocks.append(Block(f"b{i}", role, "f", False, (signal,)))
    places = {block.signals[0]: (i, 0) for i, block in enumerate(blocks)}
    return SignalLayout(tuple(blocks), places)


def make_view(elements, shape=None, batched=True):
    """The view of (block, position) pairs."""
    runs = join_runs([Run(b, i, i + 1) for b, i in elements])
    return View(runs, shape or (len(elements),), batched)


ELEMENTS = [(b, i) for b, size in enumerate(SIZES) for i in range(size)]


@st.composite
def element_lists(draw, repeats=False):
    """Contiguous, strided, scattered, or repeated elements of one or more blocks."""
    kind = draw(st.sampled_from(["range", "strided", "scattered"]))
    if kind == "scattered":
        chosen = st.lists(
            st.sampled_from(ELEMENTS), min_size=1, max_size=25, unique=True
        )
        elements = draw(chosen)
    else:
        start, stop = sorted(draw(st.tuples(st.integers(0, 37), st.integers(1, 38))))
        step = 1 if kind == "range" else draw(st.sampled_from([2, 3, -1, -2]))
        elements = ELEMENTS[start:stop][::step] or ELEMENTS[:1]
    if repeats and draw(st.booleans()):
        more = draw(st.lists(st.sampled_from(elements), min_size=1, max_size=12))
        elements = draw(st.permutations([*elements, *more]))
    return elements


actions = st.lists(
    st.one_of(
        st.tuples(st.just("set"), element_lists()),
        st.tuples(st.just("inc"), element_lists(repeats=True)),
        st.tuples(st.just("fill"), element_lists(repeats=True)),
        st.tuples(st.just("read"), element_lists(repeats=True)),
        st.tuples(st.just("pack"), st.just([])),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=60, deadline=None)
@given(
    actions=actions,
    batch=st.sampled_from([1, 3]),
    shared=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_sequence_of_actions_equals_numpy(actions, batch, shared, seed):
    rng = np.random.RandomState(seed)
    memory = [rng.randint(-9, 9, (batch, size)).astype(float) for size in SIZES]
    layout = make_layout()
    start = {i: tf.constant(array) for i, array in enumerate(memory)}
    values = SignalValues(layout, start, batch, tf.float64)
    for action, elements in actions:
        view = make_view(elements) if elements else None
        # values that are the same for every item may come with a batch axis of one
        lead = 1 if shared else batch
        new = rng.randint(-9, 9, (lead, len(elements))).astype(float)
        if action == "set":
            values.set(view, tf.constant(new))
            for k, (block, i) in enumerate(elements):
                memory[block][:, i] = new[:, k]
        elif action == "inc":
            values.inc(view, tf.constant(new))
            for k, (block, i) in enumerate(elements):
                memory[block][:, i] += new[:, k]
        elif action == "fill":
            values.fill(view, 2.5)
            for block, i in elements:
                memory[block][:, i] = 2.5
        elif action == "read":
            expected = np.stack([memory[block][:, i] for block, i in elements], axis=1)
            result = values.read(view).numpy()
            assert result.shape in (expected.shape, (1, len(elements)))
            assert np.array_equal(np.broadcast_to(result, expected.shape), expected)
        else:
            tensors, structure = values.pack(range(len(SIZES)))
            values = values.begin_step({}, {})
            values.unpack(tensors, structure)
    for i, array in enumerate(memory):
        assert np.array_equal(values.block(i).numpy(), array)


@settings(max_examples=40, deadline=None)
@given(elements=element_lists(repeats=True), hoisted=st.booleans())
def test_parameters_are_read_without_a_batch_axis(elements, hoisted):
    arrays = [np.random.RandomState(i).rand(size) for i, size in enumerate(SIZES)]
    params = {i: tf.constant(array) for i, array in enumerate(arrays)}
    values = SignalValues(make_layout(Role.PARAM), params, 3, tf.float64)
    view = make_view(elements, batched=False)
    if hoisted:
        values.hoist([view])
        first = values.read(view)
        values = values.begin_step({}, {})
        assert values.read(view) is first
    result = values.begin_step({}, {}).read(view).numpy()
    assert np.array_equal(result, [arrays[block][i] for block, i in elements])


def fresh(batch=2):
    start = {i: tf.ones((batch, size), tf.float64) for i, size in enumerate(SIZES)}
    return SignalValues(make_layout(), start, batch, tf.float64)


def test_views_have_shapes():
    view = make_view(ELEMENTS[:6], (2, 3))
    values = fresh()
    values.set(view, tf.reshape(tf.range(12.0, dtype=tf.float64), (2, 2, 3)))
    assert values.read(view).shape == (2, 2, 3)
    assert values.read(view.reshape(6))[1].numpy().tolist() == list(range(6, 12))


def test_increments_after_a_reset_are_plain_writes():
    values = fresh()
    view = make_view(ELEMENTS[3:8])
    values.fill(view, 0)
    new = tf.constant(np.random.rand(2, 5))
    values.inc(view, new)
    assert values.read(view).numpy().tolist() == new.numpy().tolist()
    _, structure = values.pack([0])
    assert [(start, stop) for _, start, stop, _ in structure] == [
        (0, 3),
        (3, 8),
        (8, 30),
    ]


def test_resets_of_neighbours_in_any_order_leave_one_piece():
    values = fresh()
    values.fill(make_view([ELEMENTS[i] for i in (7, 3, 5, 4, 6)]), 2)
    _, structure = values.pack([0])
    assert [(start, stop) for _, start, stop, _ in structure] == [
        (0, 3),
        (3, 8),
        (8, 30),
    ]


def test_resets_of_what_is_zero_anyway_leave_nothing():
    values = SignalValues(make_layout(sizes=(30,)), {}, 2, tf.float64)
    values.fill(make_view(ELEMENTS[:30:2]), 0)
    assert values.pack([0]) == ([], [(0, 0, 30, 0.0)])
    values.fill(make_view(ELEMENTS[:2]), 1)
    values.fill(make_view(ELEMENTS[1:3]), 0)
    values.fill(make_view(ELEMENTS[:1]), -0.0)
    expected = [0.0] * 30
    assert values.read(make_view(ELEMENTS[:30])).numpy()[0].tolist() == expected


def test_equal_items_stay_one_until_somebody_differs():
    values = fresh()
    view = make_view(ELEMENTS[:30])
    values.fill(view, 3)
    assert values.read(view).shape == (1, 30)
    values.inc(make_view(ELEMENTS[4:6]), tf.ones((2, 2), tf.float64))
    assert values.read(view).shape == (2, 30)
    assert values.block(0).shape == (2, 30)


@pytest.mark.parametrize("number", [MAX_SLICES - 1, MAX_SLICES + 1])
@pytest.mark.parametrize("increment", [False, True])
def test_few_and_many_stretches(number, increment):
    elements = ELEMENTS[: 3 * number : 3]
    values = fresh()
    new = tf.constant(np.random.rand(2, number))
    (values.inc if increment else values.set)(make_view(elements), new)
    expected = np.ones((2, 30))
    expected[:, : 3 * number : 3] = new.numpy() + (1 if increment else 0)
    assert np.array_equal(values.block(0).numpy(), expected)


@pytest.mark.parametrize("number", [MAX_SLICES, MAX_SLICES + 1])
def test_increment_of_many_pieces_leaves_one(number):
    values = fresh()
    for i in range(number):
        value = tf.constant([[i], [i + 100]], tf.float64)
        values.set(make_view([(0, i)]), value)
    everything = make_view([(0, i) for i in range(number)])
    values.inc(everything, tf.ones((1, number), tf.float64))
    expected = np.arange(number) + np.array([[1], [101]])
    assert np.array_equal(values.read(everything), expected)
    pieces = [p for p in values._pieces[0] if p.stop <= number]
    assert len(pieces) == (number if number == MAX_SLICES else 1)


def test_empty_blocks_and_views():
    # a filter without memory has a state of no elements
    layout = make_layout(sizes=(4, 0))
    start = {0: tf.ones((2, 4), tf.float64), 1: tf.ones((2, 0), tf.float64)}
    values = SignalValues(layout, start, 2, tf.float64)
    assert values.block(1).shape == (2, 0)
    assert values.read(View((Run(1, 0, 0),), (0,), True)).shape[-1] == 0


def test_steps_begin_with_what_they_are_given():
    values = fresh()
    state = tf.constant(np.arange(60.0).reshape(2, 30))
    step = values.begin_step({0: state}, {1: tf.zeros((2, 7), tf.float64)})
    assert np.array_equal(step.block(0), state)
    assert not np.any(step.block(1))
    # the values of the step before are not touched
    assert np.all(values.block(0) == 1)


@pytest.mark.parametrize("n_rows", [MAX_SLICES // 2, 4 * MAX_SLICES])
@pytest.mark.parametrize("row", [1, 5])
@pytest.mark.parametrize("batched", [True, False])
def test_blocks_that_take_turns(n_rows, row, batched):
    rng = np.random.RandomState(0)
    sizes = (2 * n_rows * row, n_rows * row)
    layout = make_layout(Role.STATE if batched else Role.PARAM, sizes)
    lead = (2,) if batched else ()
    arrays = [rng.uniform(size=(*lead, size)) for size in sizes]
    blocks = {i: tf.constant(array) for i, array in enumerate(arrays)}
    values = SignalValues(layout, blocks, 2, tf.float64)
    expected = np.concatenate(arrays, axis=-1)
    # every other row of the first block, in turn with all of the second, backwards
    runs = [
        Run(block, step * i * row, (step * i + 1) * row)
        for i in reversed(range(n_rows))
        for block, step in ((0, 2), (1, 1))
    ]
    places = np.concatenate(
        [np.arange(a, b) + (block and sizes[0]) for block, a, b in runs]
    )
    view = View(join_runs(runs), (len(places),), batched)
    for verb in ("inc", "set", "inc"):
        new = rng.uniform(size=(*lead, len(places)))
        if verb == "inc":
            expected[..., places] += new
        else:
            expected[..., places] = new
        getattr(values, verb)(view, tf.constant(new))
        assert np.array_equal(values.read(view).numpy(), expected[..., places])
    found = np.concatenate([values.read(v).numpy() for v in whole(sizes, batched)], -1)
    assert np.array_equal(found, expected)


def test_a_few_elements_of_large_blocks_are_read_without_these(monkeypatch):
    monkeypatch.setattr(SignalValues, "_read_mixed", lambda *_: 1 / 0)
    size, number = 1000, 2 * MAX_SLICES
    layout = make_layout(sizes=(size, size))
    arrays = [np.arange(size, dtype=float)[None], -np.arange(size, dtype=float)[None]]
    blocks = {i: tf.constant(array) for i, array in enumerate(arrays)}
    values = SignalValues(layout, blocks, 1, tf.float64)
    elements = [(i % 2, i * size // number) for i in range(number)]
    expected = [[arrays[block][0, i] for block, i in elements]]
    assert np.array_equal(values.read(make_view(elements)), expected)


def whole(sizes, batched):
    return [View((Run(i, 0, n),), (n,), batched) for i, n in enumerate(sizes)]
