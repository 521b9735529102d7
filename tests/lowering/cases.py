"""A small example, or several, of every operator that has a lowering."""

import nengo
import numpy as np
from nengo import neurons as types
from nengo.builder.learning_rules import SimBCM, SimOja, SimPES, SimRLS, SimVoja
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import (
    BsrDotInc,
    Copy,
    DotInc,
    ElementwiseInc,
    Operator,
    Reset,
    SimPyFunc,
    SparseDotInc,
    TimeUpdate,
)
from nengo.builder.probe import SimProbe
from nengo.builder.processes import SimProcess
from nengo.builder.transforms import ConvInc, ConvTransposeInc

from nengo_dl.graph.draws import DrawnNeurons
from nengo_dl.graph.series import FilterSeries
from nengo_dl.graph.simplify.factor_pes import Keep, PESInc
from nengo_dl.graph.surrogate_neurons import RateGradientNeurons, SurrogateNeurons
from nengo_dl.lowering.sampling import KEY_WORDS
from nengo_dl.neurons import (
    Heaviside,
    LeakyReLU,
    LimitedReLU,
    SoftLIFRate,
    SpikingLeakyReLU,
)
from nengo_dl.synapses import Delay
from tests.lowering.case import (
    CONSTANT,
    COUNT,
    COUNTING,
    FIRING,
    NOTHING,
    PYTHON,
    QUADRATIC,
    SURROGATE,
    Case,
    OwnNeurons,
    OwnProcess,
    block_product,
    convolution,
    copy,
    drawn,
    function,
    population,
    process,
    product,
    product_of_shared,
    rate,
    rate_gradient,
    series,
    signal,
    sparse_product,
    spiking,
    surrogate,
    symmetric,
    whole,
)

USERS = "code of the user's keeps Nengo's order"


def lif(i):
    return nengo.LIF(0.02 + 0.01 * i, 0.002, min_voltage=-0.1 * i, amplitude=1 + i)


def adaptive_lif(i):
    return nengo.AdaptiveLIF(0.5 + i, 0.01, tau_rc=0.02 + 0.01 * i, amplitude=1 + i)


def spiking_rectified(i):
    return nengo.SpikingRectifiedLinear(amplitude=1 + i)


def regular(i):
    return nengo.RegularSpiking(nengo.Tanh(), amplitude=1 + i)


def spiking_leaky(i):
    return SpikingLeakyReLU(0.1 + 0.2 * i, amplitude=1 + i)


NEURONS = {
    nengo.RectifiedLinear: rate(lambda i: nengo.RectifiedLinear(amplitude=1 + i)),
    nengo.Sigmoid: rate(lambda i: nengo.Sigmoid(0.002 + 0.01 * i)),
    nengo.Tanh: rate(lambda i: nengo.Tanh(0.002 + 0.01 * i)),
    nengo.LIFRate: rate(lambda i: nengo.LIFRate(0.02 + 0.01 * i, amplitude=1 + i)),
    nengo.AdaptiveLIFRate: rate(
        lambda i: nengo.AdaptiveLIFRate(0.5 + i, tau_rc=0.02, amplitude=1 + i),
        "adaptation",
    ),
    SoftLIFRate: rate(lambda i: SoftLIFRate(0.3 + i, tau_rc=0.02 + 0.01 * i)),
    Heaviside: rate(lambda i: Heaviside(amplitude=1 + i), flat=SURROGATE),
    LimitedReLU: rate(lambda i: LimitedReLU(2.0 + 9 * i, amplitude=1 + i)),
    LeakyReLU: rate(lambda i: LeakyReLU(0.1 + 0.2 * i, amplitude=1 + i)),
    nengo.LIF: spiking(lif, FIRING, "voltage", "refractory_time"),
    nengo.AdaptiveLIF: spiking(
        adaptive_lif, FIRING, "voltage", "refractory_time", "adaptation"
    ),
    nengo.Izhikevich: spiking(
        lambda i: nengo.Izhikevich(0.02 * (i + 1), reset_recovery=8 - i),
        QUADRATIC,
        "voltage",
        "recovery",
    ),
    nengo.SpikingRectifiedLinear: spiking(spiking_rectified, COUNTING, "voltage"),
    types.RegularSpiking: spiking(regular, COUNTING, "voltage"),
    SpikingLeakyReLU: spiking(spiking_leaky, COUNTING, "voltage"),
}

INTEGRATING = {
    nengo.LIF: (lif, FIRING, "voltage", "refractory_time"),
    nengo.AdaptiveLIF: (
        adaptive_lif,
        FIRING,
        "voltage",
        "refractory_time",
        "adaptation",
    ),
    nengo.SpikingRectifiedLinear: (spiking_rectified, COUNTING, "voltage"),
    types.RegularSpiking: (regular, COUNTING, "voltage"),
    SpikingLeakyReLU: (spiking_leaky, COUNTING, "voltage"),
}


def stochastic(base):
    return lambda i: nengo.StochasticSpiking(base, amplitude=1 + i)


def poisson(base):
    return lambda i: nengo.PoissonSpiking(base, amplitude=1 + i)


FILTERS = {
    nengo.Lowpass: {
        "output as state": process(
            lambda i: nengo.Lowpass(0.005 * (i + 1)), any_size=True
        ),
        "own state": process(
            lambda i: nengo.Lowpass(0.005 * (i + 1)), "inc", any_size=True
        ),
    },
    nengo.Alpha: {"second order": process(lambda i: nengo.Alpha(0.01))},
    nengo.LinearFilter: {
        "gain": process(lambda i: nengo.LinearFilter([2 + i], [1]), any_size=True),
        "passthrough": process(
            lambda i: nengo.LinearFilter([0.01, 2], [0.02, 1]), "set", (2, 3)
        ),
        "discrete": process(
            lambda i: nengo.LinearFilter([0.3, 0.1], [1, -0.5, 0.2], analog=False)
        ),
    },
    nengo.synapses.Triangle: {
        "output as sum": process(lambda i: nengo.synapses.Triangle(0.003)),
        "own sum": process(lambda i: nengo.synapses.Triangle(0.003), "inc", (2, 2)),
    },
    Delay: {
        "whole steps": process(lambda i: Delay(3)),
        "between steps": process(lambda i: Delay(seconds=0.0025), "inc", (2, 3)),
    },
    None: {
        "process of Nengo's": process(
            lambda i: nengo.processes.PresentInput([[i, 1, 2], [3, 4, 5]], 0.002),
            "set",
            has_input=False,
            flat=PYTHON,
        ),
        "process of the user's": process(
            lambda i: OwnProcess(), "inc", flat=PYTHON, alone=USERS
        ),
    },
}

SERIES = {
    nengo.Lowpass: {"output as state": series(nengo.Lowpass(0.01), any_size=True)},
    nengo.Alpha: {"second order": series(nengo.Alpha(0.01))},
    nengo.LinearFilter: {
        "passthrough": series(nengo.LinearFilter([0.01, 2], [0.02, 1]), (2, 3))
    },
}

PRE, POST = 5, 4

LEARNING = {
    SimPES: lambda i: SimPES(
        signal("pre", PRE), signal("error", 2), signal("delta", 2, PRE), 10.0 + i
    ),
    PESInc: lambda i: PESInc(
        10.0 + i,
        signal("error", 2),
        signal("activity", PRE),
        signal("weights", 2, PRE),
    ),
    Keep: lambda i: Keep(
        [signal("x", 2), signal("matrix", 2, PRE)],
        [signal("kept", 2), signal("kept matrix", 2, PRE)],
    ),
    SimRLS: lambda i: SimRLS(
        signal("pre", PRE),
        signal("error", 2),
        signal("delta", 2, PRE),
        signal("inverse", PRE, PRE),
    ),
    SimBCM: lambda i: SimBCM(
        signal("pre", PRE),
        signal("post", POST),
        signal("theta", POST),
        signal("delta", POST, PRE),
        10.0 + i,
    ),
    SimOja: lambda i: SimOja(
        signal("pre", PRE),
        signal("post", POST),
        signal("weights", POST, PRE),
        signal("delta", POST, PRE),
        10.0 + i,
        0.5 * i,
    ),
    SimVoja: lambda i: SimVoja(
        signal("decoded", 2),
        signal("post", POST),
        signal("encoders", POST, 2),
        signal("delta", POST, 2),
        np.linspace(0.5, 2 + i, POST),
        signal("learning"),
        10.0 + i,
    ),
}

CASES: dict[tuple[type[Operator], type | None], dict[str, Case]] = {
    (Reset, None): {
        "to zero": Case(lambda i: Reset(signal("y", 3 + i)), flat=CONSTANT),
        "to a number": Case(lambda i: Reset(signal("y", 3 + i), 1.5), flat=CONSTANT),
    },
    (Copy, None): {
        "set": Case(lambda i: Copy(signal("x", 3 + i), signal("y", 3 + i))),
        "set a part": copy(slice(3), slice(1, 4)),
        "increment": copy([4, 0, 2], [1, 0, 1], True),
        "broadcast": Case(
            lambda i: Copy(signal("x"), signal("y", 4), inc=True),
            alone="one value goes to many places",
        ),
    },
    (ElementwiseInc, None): {
        "of vectors": product(ElementwiseInc, (4,), (4,), (4,)),
        "broadcast": product(ElementwiseInc, (2,), (3, 1), (3, 2)),
    },
    (DotInc, None): {
        "few columns": product(DotInc, (4, 3), (3,), (4,)),
        "many columns": product(DotInc, (4, 6), (6,), (4,)),
        "scalar": product(DotInc, (), (3,), (3,)),
        "shared vectors": Case(product_of_shared, shared=["A"], many=24),
    },
    (SparseDotInc, None): {"csr": Case(sparse_product, shared=["A"])},
    (BsrDotInc, None): {"blocks": Case(block_product, shared=["A"])},
    (ConvInc, None): {
        "few products": convolution(
            ConvInc, nengo.Convolution(3, (5, 4, 2), kernel_size=(2, 3), strides=(2, 1))
        ),
        "matrices": convolution(
            ConvInc,
            nengo.Convolution(
                2,
                (8, 5),
                padding="same",
                kernel_size=(5,),
                strides=(1,),
                channels_last=False,
            ),
        ),
    },
    (ConvTransposeInc, None): {
        "strides": convolution(
            ConvTransposeInc,
            nengo.ConvolutionTranspose(2, (3, 2, 2), kernel_size=(3, 2)),
        )
    },
    (SimPyFunc, None): {
        "of time": function(lambda t: [t, 1], t=True, x=False),
        "of input": function(lambda x: 2 * x[:2], t=False, x=True),
        "of both": function(lambda t, x: x[1:] + t, t=True, x=True),
        "without result": function(lambda t, x: None, t=True, x=True, has_output=False),
    },
    (SimProbe, None): {
        "probe": Case(lambda i: SimProbe(signal("x", 3 + i)), flat=NOTHING)
    },
    (TimeUpdate, None): {
        "time": Case(
            lambda i: TimeUpdate(signal("step", dtype=np.int64), signal("time")),
            {"step": whole(0, 1000)},
            fixed=["time"],
            flat=COUNT,
            alone="there is one in each model",
        )
    },
    (SimNeurons, None): {
        "neurons of the user's": Case(
            lambda i: population(
                lambda i: OwnNeurons(), i, "voltage", "refractory_time"
            ),
            FIRING,
            flat=PYTHON,
            alone=USERS,
        )
    },
    (DrawnNeurons, types.StochasticSpiking): {
        "positive": drawn(stochastic(nengo.LIFRate()), 3e3),
        "signed": drawn(stochastic(nengo.Tanh()), 3e3),
    },
    (DrawnNeurons, types.PoissonSpiking): {
        "positive": drawn(poisson(nengo.LIFRate()), 2e4, KEY_WORDS, equal=True),
        "signed": drawn(poisson(nengo.Tanh()), 2e4, KEY_WORDS),
    },
    **{(SimNeurons, kind): cases for kind, cases in NEURONS.items()},
    **{
        (SurrogateNeurons, kind): surrogate(*arguments)
        for kind, arguments in INTEGRATING.items()
    },
    (RateGradientNeurons, None): {
        kind.__name__: rate_gradient(*arguments)
        for kind, arguments in INTEGRATING.items()
    },
    **{(SimProcess, kind): cases for kind, cases in FILTERS.items()},
    **{(FilterSeries, kind): cases for kind, cases in SERIES.items()},
    **{
        (kind, None): {"rule": Case(make, {"inverse": symmetric})}
        for kind, make in LEARNING.items()
    },
}
