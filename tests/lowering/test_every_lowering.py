"""Every lowering against Nengo: single and merged, batched or not, values, gradients.

What is compared is one time step of one group, without a simulator around it. A
lowering that has no case in `CASES` fails here.
"""

import sys

import numpy as np
import pytest
from nengo.builder.neurons import SimNeurons

from nengo_dl.graph.tensor_operator import SimTensorNode
from nengo_dl.graph.trained_attributes import (
    ScaleCurrents,
    TrainedNeurons,
    TrainedSynapse,
)
from nengo_dl.lowering.neurons import whole_steps
from nengo_dl.lowering.registry import _LOWERINGS, Lowering, merge_kind
from tests.lowering.case import PYTHON, SURROGATE
from tests.lowering.cases import CASES
from tests.lowering.one_group import lowered
from tests.lowering.run import Computation, Run

#: see `Run`: number of operators, number of items, what has a value for each item
CONFIGURATIONS = [
    (1, 1, "none"),
    (1, 3, "all"),
    (3, 1, "inputs"),
    (3, 3, "inputs"),
    (3, 3, "equal"),
    (3, 3, "all"),
]
#: without `--everything`, since tracing and compiling them takes all the time
BY_DEFAULT = [CONFIGURATIONS[0], *CONFIGURATIONS[3:]]
FEW = [CONFIGURATIONS[0], CONFIGURATIONS[-1]]
VALUES = {"float64": 1e-12, "float32": 2e-5}
GRADIENTS = {"float64": 1e-10, "float32": 1e-3}
#: see `Run.edges`, for two runs with three items
EDGES = [[(0, 0), (1, 1), (2, 2)], [(1, 0), (0, None), (2, None)]]

#: registered by Nengo's types and ours; other tests register more
OWN = {
    key: lowering
    for key, lowering in _LOWERINGS.items()
    if all(
        kind.__module__.split(".")[0] in ("nengo", "nengo_dl") for kind in key if kind
    )
}
#: compared with Keras, in tests/test_tensor_node.py; with neurons of NengoLoihi, in
#: tests/compat/test_older_names.py: their gradients are not those of their stairs; and
#: with what Nengo gives for trained values, in tests/test_trained_attributes.py
OF_LOIHI = {whole_steps.LowerWholeStepLIF, whole_steps.LowerWholeStepRectified}
NOT_IN_NENGO = {
    (SimTensorNode, None),
    (SimNeurons, whole_steps.WholeStepLIFRate),
    (SimNeurons, whole_steps.WholeStepRectifiedRate),
    *(key for key in OWN if key[0] in (TrainedNeurons, TrainedSynapse, ScaleCurrents)),
}
ALL = [
    pytest.param(case, id=".".join([*(kind.__name__ for kind in key if kind), name]))
    for key, cases in CASES.items()
    for name, case in cases.items()
]
USED = {
    type(lowered(case.operators(1))[0])
    for cases in CASES.values()
    for case in cases.values()
}


@pytest.mark.parametrize("case", ALL)
def test_values_and_gradients(case, request):
    everything = request.config.getoption("--everything")
    chosen = FEW if case.slow else CONFIGURATIONS if everything else BY_DEFAULT
    runs = [Run(case, *configuration) for configuration in chosen]
    kinds = {merge_kind(op) for op in runs[-1].operators}
    assert (kinds == {None}) == bool(case.alone), "merges, or not, unlike the case"
    exact = {}
    for dtype, jit, used in (
        ("float64", False, runs),
        # they share all code: the last does for XLA, and for the other type
        ("float64", True, runs if everything else runs[-1:]),
        # not by XLA: TensorFlow keeps what it compiles, megabytes for each case
        ("float32", False, [runs[0], runs[-1]] if everything else runs[-1:]),
    ):
        if jit and case.flat == PYTHON:
            continue  # only whole programs call Python from compiled code
        compute = Computation(used, dtype)
        found = dict(zip(used, compute(jit), strict=True))
        if not exact:
            exact = {run: gradients for run, (*_, gradients) in found.items()}
            if case.flat not in (PYTHON, SURROGATE):
                assert_gradients_numerically(compute, jit, exact)
        for run, (results, _, gradients) in found.items():
            assert_values(run, results, dtype)
            for gradient, truth in zip(gradients, exact[run], strict=True):
                assert_close(gradient, truth, GRADIENTS[dtype], "gradient")
        assert_outputs_are_flat(compute, jit)
        for numbers in EDGES:
            assert_finite(compute, jit, runs[-1].edges(numbers))


def test_every_lowering_has_a_case():
    assert CASES.keys() == OWN.keys() - NOT_IN_NENGO
    responsible = {_LOWERINGS[key] for key in OWN} | OF_LOIHI
    assert not [kind for kind in leaves(Lowering) if kind not in USED | responsible]


@pytest.mark.parametrize("kind", sorted(USED | {*OWN.values()}, key=str))
def test_every_lowering_says_its_equation_and_source(kind):
    assert ":: " in kind.__doc__ or ":math:`" in kind.__doc__
    sources = (kind.__doc__, sys.modules[kind.__module__].__doc__)
    assert any("References\n" in text for text in sources)


def leaves(kind):
    """Return the classes of the package that nothing is derived from."""
    below = [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]
    own = kind.__module__.startswith("nengo_dl.")
    return below or [kind] * own


def assert_close(value, expected, rtol, what):
    """Compare arrays, relative to the largest number."""
    difference = np.abs(value - expected).max(initial=0)
    assert difference <= rtol * np.abs(expected).max(initial=0), (what, value, expected)


def assert_values(run, blocks, dtype):
    """Compare a step with Nengo's."""
    for s, before, expected in zip(run.signals, run.values, run.expected, strict=True):
        value = run.from_blocks(blocks, s)
        assert value.dtype == (dtype if s.dtype.kind == "f" else s.dtype), s
        if s not in run.changed:
            before = np.broadcast_to(before, value.shape)
            np.testing.assert_array_equal(value, before.astype(value.dtype))
        elif s not in run.left_alone:
            assert value.shape == expected.shape
            assert_close(value, expected, VALUES[dtype], s)


def assert_gradients_numerically(compute, jit, gradients, step=1e-6):
    """Compare gradients with central differences, block by block.

    Along one random direction; all runs move at once, since they are independent.
    """
    rng = np.random.RandomState(0)
    for k in range(max(len(run.given) for run in compute.runs)):
        moving = [run for run in compute.runs if k < len(run.given)]
        directions = {
            run: rng.uniform(-1, 1, run.given[k].shape) * np.abs(run.given[k]).max()
            for run in moving
            if run.has_small_steps(k)
        }
        ends = []
        for sign in (1, -1):
            given = [list(run.given) for run in compute.runs]
            for run, own in zip(compute.runs, given, strict=True):
                if run in directions:
                    own[k] = own[k] + sign * step * directions[run]
            ends.append([total for _, total, _ in compute(jit, given=given)])
        for run, above, below in zip(compute.runs, *ends, strict=True):
            if run in directions:
                products = gradients[run][k] * directions[run]
                numeric = (above - below) / (2 * step)
                tolerance = 1e-5 * np.abs(products).sum() + 1e-7
                assert abs(products.sum() - numeric) <= tolerance, (
                    run.layout.blocks[k].key,
                    products.sum(),
                    numeric,
                )


def assert_outputs_are_flat(compute, jit):
    """Check that outputs have a gradient, or none, as the case says."""
    for run, (*_, gradients) in zip(compute.runs, compute(jit, "outputs"), strict=True):
        slopes = [g for k, g in enumerate(gradients) if not run.is_incremented(k)]
        flat = not any(map(np.any, slopes))
        assert flat == (run.case.flat not in ("", SURROGATE)), run.case.flat


def assert_finite(compute, jit, values):
    """Check the last run where it has edges: Nengo's values, finite gradients."""
    run = compute.runs[-1]
    given = [*(other.given for other in compute.runs[:-1]), run.blocks(values)]
    *_, (blocks, _, gradients) = compute(jit, given=given)
    for s, expected in zip(run.signals, run.in_nengo(values), strict=True):
        value = run.from_blocks(blocks, s)
        assert np.all(np.isfinite(expected)), f"{s} has no edge there"
        assert np.all(np.isfinite(value)), s
        if compute.dtype == "float64" and s in run.changed - run.left_alone:
            np.testing.assert_allclose(value, expected, 1e-10, 1e-10, err_msg=str(s))
    for gradient in gradients:
        assert np.all(np.isfinite(gradient))
