import json

import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nengo.builder import Model
from nengo.builder.processes import SimProcess
from nengo.processes import WhiteNoise

from nengo_dl.graph.draws import Draws
from nengo_dl.graph.opgraph import dependencies
from nengo_dl.inputs import random_streams
from nengo_dl.inputs.random_streams import DrawStream, ProcessStream, rewind


def noise_operators(*processes):
    with nengo.Network(seed=0) as net:
        for process in processes:
            nengo.Probe(nengo.Node(process, size_out=2), synapse=0.01)
    model = Model()
    model.build(net)
    order = dependencies(model.operators).operators
    return order, [op for op in order if isinstance(op, SimProcess) and not op.input]


def take(stream, *counts):
    parts, first = [], 0
    for count in counts:
        out = np.zeros((count, 2))
        stream.take(range(first + 1, first + count + 1), out)
        parts.append(out)
        first += count
    return np.concatenate(parts)


def test_streams_go_on_where_they_ended():
    order, (op,) = noise_operators(WhiteNoise())
    stream = ProcessStream(op, 0.001)
    rewind(order, [{op: stream}], 3)
    whole = take(stream, 10)
    rewind(order, [{op: stream}], 3)
    assert np.array_equal(take(stream, 1, 4, 5), whole)
    rewind(order, [{op: stream}], 4)
    assert not np.array_equal(take(stream, 10), whole)


def test_items_draw_from_seeds_one_apart():
    order, (op,) = noise_operators(WhiteNoise())
    items = [ProcessStream(op, 0.001) for _ in range(3)]
    rewind(order, [{op: stream} for stream in items], 5)
    batch = [take(stream, 4) for stream in items]
    for i in range(3):
        rewind(order, [{op: items[0]}], 5 + i)
        assert np.array_equal(take(items[0], 4), batch[i])


def test_seeded_processes_are_equal_for_all_items():
    order, (op,) = noise_operators(WhiteNoise(seed=1))
    items = [ProcessStream(op, 0.001) for _ in range(2)]
    rewind(order, [{op: stream} for stream in items], 5)
    assert np.array_equal(take(items[0], 4), take(items[1], 4))


def test_streams_do_not_depend_on_who_else_is_run_in_python():
    order, (first, second) = noise_operators(WhiteNoise(), WhiteNoise())
    both = [ProcessStream(op, 0.001) for op in (first, second)]
    rewind(order, [{first: both[0], second: both[1]}], 5)
    alone = ProcessStream(second, 0.001)
    rewind(order, [{second: alone}], 5)
    assert np.array_equal(take(both[1], 4), take(alone, 4))
    assert not np.array_equal(take(both[0], 4), take(alone, 4))


def test_streams_leave_the_model_alone():
    order, (op,) = noise_operators(nengo.processes.FilteredNoise())
    before = {name: np.array(s.initial_value) for name, s in op.state.items()}
    stream = ProcessStream(op, 0.001)
    rewind(order, [{op: stream}], 0)
    take(stream, 5)
    for name, signal in op.state.items():
        assert np.array_equal(signal.initial_value, before[name])


def draw_stream(nengo_numbers, item=0, seed=7):
    draws = Draws(
        np.random.RandomState(seed),
        (2,),
        lambda rng, n_steps: rng.random_sample((n_steps, 2)),
        nengo_numbers,
    )
    return DrawStream(draws, item)


def first_draws(stream, seed, *counts):
    stream.reset(seed)
    return take(stream, *(counts or (10,)))


def test_draws_of_nengo_are_those_of_the_model():
    expected = np.random.RandomState(7).random_sample((10, 2))
    stream = draw_stream(True)
    for seed in (0, 0, 1, 2**32 + 5):
        assert np.array_equal(first_draws(stream, seed), expected)
    assert np.array_equal(first_draws(stream, 0, 1, 4, 5), expected)
    # the model may be simulated again
    untouched = np.random.RandomState(7).random_sample(5)
    assert np.array_equal(stream.draws.rng.random_sample(5), untouched)


def test_each_item_has_draws_of_its_own():
    items = [first_draws(draw_stream(True, item), 0) for item in range(4)]
    items += [first_draws(draw_stream(False, item), 0) for item in range(4)]
    for i, first in enumerate(items):
        for second in items[:i]:
            assert not np.any(first == second)


def test_other_draws_depend_on_both_seeds_and_on_the_item():
    expected = first_draws(draw_stream(False), 5)
    assert np.array_equal(first_draws(draw_stream(False), 5), expected)
    assert np.array_equal(first_draws(draw_stream(False, item=2), 3), expected)
    assert not np.any(first_draws(draw_stream(False), 6) == expected)
    assert not np.any(first_draws(draw_stream(False, seed=8), 5) == expected)


def test_what_was_not_used_is_given_back():
    stream = draw_stream(True)
    expected = first_draws(stream, 0, 20)
    stream.reset(0)
    take(stream, 8)
    stream.give_back(5)
    assert stream.position == [[1, 3, 1]]
    rest = np.zeros((2, 2))
    stream.take(range(4, 6), rest)
    assert np.array_equal(rest, expected[3:5])
    stream.give_back(0)
    rest = np.zeros((15, 2))
    stream.take(range(6, 21), rest)
    assert np.array_equal(rest, expected[5:])


@pytest.mark.parametrize(
    "steps, n_back",
    [
        ([range(1, 6), range(6, 11)], 3),
        ([range(1, 6), range(1, 6), range(1, 6)], 4),
        ([[1, 2, 3, 1, 2, 3]], 2),
        ([range(1, 4), range(7, 9), range(1, 4)], 3),
        ([range(1, 4)], 3),
        ([range(1, 3001), range(1, 3001)], 1),
    ],
)
def test_positions_say_which_steps_were_taken(steps, n_back):
    """So that another stream gives the same from there on."""
    stream, other = draw_stream(True), draw_stream(True)
    stream.reset(0)
    for part in steps:
        assert stream.take(part, np.zeros((len(part), 2))) == (len(part), None)
    taken = [step for part in steps for step in part]
    stream.give_back(n_back)
    taken = taken[: len(taken) - n_back]
    told = [
        step
        for first, count, times in stream.position
        for _ in range(times)
        for step in range(first, first + count)
    ]
    assert told == taken
    other.reset(0)
    other.advance(json.loads(json.dumps(stream.position)))
    assert other.position == stream.position
    rows = np.zeros((2, 3, 2))
    stream.take(range(3), rows[0])
    other.take(range(3), rows[1])
    assert np.array_equal(*rows)


def test_all_that_was_taken_since_a_mark_is_given_back():
    stream = draw_stream(True)
    expected = first_draws(stream, 0, 20)
    stream.reset(0)
    take(stream, 4)
    stream.keep()
    stream.take(range(5, 11), np.zeros((6, 2)))
    stream.give_back(2)
    stream.take(range(9, 14), np.zeros((5, 2)))
    stream.return_kept()
    assert stream.position == [[1, 4, 1]]
    rows = np.zeros((16, 2))
    stream.take(range(5, 21), rows)
    assert np.array_equal(rows, expected[4:])


@given(
    st.lists(
        st.one_of(
            st.lists(st.integers(1, 4), max_size=8),
            st.builds(range, st.integers(1, 5), st.integers(1, 9)),
            st.builds(lambda steps, n: [*steps] * n, st.just(range(1, 4)), st.just(3)),
        )
    )
)
def test_positions_are_the_steps_that_were_taken(taken):
    position = ()
    for steps in taken:
        position = random_streams._joined(position, steps)
    passed = [
        i for first, n, times in position for i in [*range(first, first + n)] * times
    ]
    assert passed == [i for steps in taken for i in steps]


def test_equal_minibatches_are_one_entry_of_a_position():
    one_step = random_streams._joined((), [1] * 200)
    assert random_streams._joined(one_step, [1] * 100) == ((1, 1, 300),)
    assert random_streams._joined((), [1, 2, 3] * 5) == ((1, 3, 5),)
    assert random_streams._joined(((1, 3, 1),), range(4, 9)) == ((1, 8, 1),)
