"""Neuron types, synapses, processes and functions, with arguments drawn at random."""

from collections.abc import Callable, Sequence

from tests.random_networks.draw import Draw, call

#: who gives an argument its value
Arguments = dict[str, Callable[[Draw], str]]


def uniform(low: float, high: float) -> Callable[[Draw], str]:
    """Return who draws a number."""
    return lambda draw: draw.number(low, high)


def initial(**names: tuple[float, float]) -> Callable[[Draw], str]:
    """Return who draws the initial state of neurons."""

    def state(draw: Draw) -> str:
        chosen = draw.some_of(list(names), draw.integer(1, len(names)))
        values = [f"{name!r}: nengo.dists.Uniform{names[name]}" for name in chosen]
        return f"{{{', '.join(values)}}}"

    return state


def optional(draw: Draw, arguments: Arguments, probability: float = 0.4) -> dict:
    """Give values to some of the arguments."""
    return {k: make(draw) for k, make in arguments.items() if draw.flip(probability)}


# -- neuron types

_LIF_RATE: Arguments = {
    "tau_rc": uniform(0.01, 0.05),
    "tau_ref": uniform(0.0005, 0.002),
    "amplitude": uniform(0.3, 1.5),
}
_ADAPTATION: Arguments = {"tau_n": uniform(0.02, 0.5), "inc_n": uniform(0.005, 0.05)}
_SPIKES: Arguments = {"amplitude": uniform(0.3, 1.5)}

#: every neuron type of Nengo's, and some of a user's
NEURON_TYPES: dict[str, Arguments] = {
    "nengo.Direct": {},
    "nengo.RectifiedLinear": _SPIKES,
    "nengo.SpikingRectifiedLinear": {
        **_SPIKES,
        "initial_state": initial(voltage=(0, 1)),
    },
    "nengo.Sigmoid": {},  # its gains are positive within a narrow range of rates
    "nengo.Tanh": {"tau_ref": uniform(0.001, 0.002)},
    "nengo.LIFRate": _LIF_RATE,
    "nengo.LIF": {
        **_LIF_RATE,
        "min_voltage": uniform(-2, 0),
        "initial_state": initial(voltage=(0, 1), refractory_time=(0, 0.003)),
    },
    "nengo.AdaptiveLIFRate": {
        **_LIF_RATE,
        **_ADAPTATION,
        "initial_state": initial(adaptation=(0, 0.1)),
    },
    "nengo.AdaptiveLIF": {
        **_LIF_RATE,
        **_ADAPTATION,
        "min_voltage": uniform(-2, 0),
        "initial_state": initial(voltage=(0, 1), adaptation=(0, 0.1)),
    },
    "nengo.Izhikevich": {
        "tau_recovery": uniform(0.01, 0.05),
        "coupling": uniform(0.1, 0.3),
        "reset_voltage": uniform(-65, -50),
        "reset_recovery": uniform(2, 8),
        "initial_state": initial(voltage=(-70, -55), recovery=(-15, -10)),
    },
    "nengo.RegularSpiking": {**_SPIKES, "initial_state": initial(voltage=(0, 1))},
    "nengo.StochasticSpiking": _SPIKES,
    "nengo.PoissonSpiking": _SPIKES,
    "user_types.Softplus": {},
    "user_types.Tired": {},
}
#: what the last rate types of Nengo's turn into spikes
BASE_TYPES = (
    "nengo.RectifiedLinear",
    "nengo.LIFRate",
    "nengo.Sigmoid",
    "nengo.Tanh",
    "nengo.AdaptiveLIFRate",
)
MAKE_SPIKES = (
    "nengo.RegularSpiking",
    "nengo.StochasticSpiking",
    "nengo.PoissonSpiking",
)


def neuron_type(draw: Draw) -> str:
    """Return a neuron type."""
    name = draw.one_of(list(NEURON_TYPES))
    arguments = optional(draw, NEURON_TYPES[name])
    if name in MAKE_SPIKES:
        base = draw.one_of(BASE_TYPES)
        return call(name, call(base, **optional(draw, NEURON_TYPES[base])), **arguments)
    return call(name, **arguments)


# -- synapses

METHODS = ("'zoh'", "'bilinear'", "'backward_diff'", "'euler'")


def synapse(draw: Draw) -> str:
    """Return a synapse that is not None."""
    tau = draw.number(0.003, 0.03)
    method = draw.one_of(METHODS)
    kinds = [
        (4, tau),
        (1, "0"),
        (2, call("nengo.Lowpass", tau, method=method)),
        (2, call("nengo.Alpha", tau)),
        (1, call("nengo.Alpha", tau, method=method)),
        # two and three poles
        (1, call("nengo.LinearFilter", [1], [1e-4, 0.02, 1])),
        (1, call("nengo.LinearFilter", [0.01, 1], [1e-6, 3e-4, 0.03, 1])),
        # what comes in goes on at once
        (1, call("nengo.LinearFilter", [0.02, 0], [0.02, 1])),
        (1, call("nengo.LinearFilter", [1e-4, 0.01, 2], [1e-4, 0.02, 1])),
        # no poles at all
        (1, call("nengo.LinearFilter", [draw.number(0.5, 1.5)], ["2.0"])),
        # differences instead of differentials
        (1, call("nengo.LinearFilter", [0.3], [1, -0.7], analog=False)),
        (1, call("nengo.LinearFilter", [0.2, 0.1], [1, -0.9, 0.2], analog=False)),
        (1, call("nengo.LinearFilter", [0.5, 0.2, 0.1], [1, 0.3, -0.2], analog=False)),
        (2, call("nengo.synapses.Triangle", draw.one_of(["0", "0.003", "0.0107"]))),
        (1, call("user_types.Delay", draw.integer(1, 4))),
    ]
    return draw.one_of([text for weight, text in kinds for _ in range(weight)])


# -- processes


def noise(draw: Draw) -> str:
    """Return noise, which may be injected into neurons."""
    seed = {"seed": str(draw.integer(0, 99))} if draw.flip(0.4) else {}
    dist = draw.one_of(
        ["nengo.dists.Uniform(-0.3, 0.3)", "nengo.dists.Gaussian(0, 0.2)"]
    )
    filtered = draw.one_of(["nengo.Alpha(0.01)", "0.02", "nengo.Lowpass(0.01)"])
    return draw.one_of(
        [
            call("nengo.processes.WhiteNoise", dist, **seed),
            call("nengo.processes.WhiteNoise", dist, scale=False, **seed),
            call(
                "nengo.processes.FilteredNoise",
                filtered if "nengo" in filtered else f"nengo.Lowpass({filtered})",
                dist,
                **seed,
            ),
            call("nengo.processes.BrownNoise", dist, **seed),
            call("user_types.Walk", **seed),
        ]
    )


def process(draw: Draw, size: int) -> str:
    """Return a process without input that has ``size`` outputs, as a Node takes it."""
    seed = {"seed": str(draw.integer(0, 99))} if draw.flip(0.4) else {}
    rows = [draw.values(1, size) for _ in range(4)]
    interpolation = draw.one_of(["'zero'", "'linear'", "'nearest'", "'cubic'"])
    times = ("0", "0.006", "0.011", "0.1")
    steps = ", ".join(f"{t}: {row}" for t, row in zip(times, rows, strict=True))
    kinds = [
        noise(draw),
        call(
            "nengo.processes.WhiteSignal",
            draw.number(0.02, 0.1),
            high=draw.number(60, 200),
            **({"y0": "0"} if draw.flip(0.5) else {}),
            **seed,
        ),
        call("nengo.processes.PresentInput", f"[{', '.join(rows)}]", "0.0035"),
        call("nengo.processes.Piecewise", f"{{{steps}}}", interpolation),
        call(
            "nengo.processes.Piecewise",
            f"{{0.004: {rows[0]}, 0.01: lambda t: np.sin(80 * t + np.arange({size}))}}",
        ),
    ]
    return draw.one_of(kinds)


def process_with_input(draw: Draw, size: int) -> tuple[str, int]:
    """Return a process that ``size`` inputs go into, and the number of outputs."""
    if draw.flip(0.3):
        return "user_types.Walk()", draw.integer(1, 3)
    text = synapse(draw)
    return (text if "(" in text else f"nengo.Lowpass({text})"), size


# -- functions

#: on connections, for inputs of any size
FUNCTIONS = (
    "np.square",
    "lambda x: x[0] * x[-1]",
    "lambda x: [x[-1], x[0] ** 2]",
    "lambda x: np.tanh(x[::-1])",
    "lambda x: np.ones(3) * 0.5 - x[0]",
)


def function_of_time(draw: Draw, size: int) -> str:
    """Return the output of a Node without input."""
    speed = draw.integer(20, 90)
    options = [f"lambda t: np.sin({speed} * t + np.arange({size}))"]
    if size == 1:
        options += ["np.cos", f"lambda t: {speed} * t % 1", "lambda t: t > 0.01"]
    else:
        options.append(f"lambda t: [t] * {size}")
    return draw.one_of(options)


def function_of_input(draw: Draw, size: int) -> str:
    """Return the output of a Node with ``size`` inputs."""
    return draw.one_of(
        [
            "lambda t, x: np.tanh(x) + t",
            "lambda t, x: np.clip(x[::-1], -0.5, 1)",
            "lambda t, x: np.sin(50 * t) * x[0]",
            "lambda t, x: [x[-1] - t, 0.5, np.cos(x[0])]",
        ]
    )


def factors(n: int, count: int) -> Sequence[tuple[int, ...]]:
    """Return all ways to write ``n`` as a product of ``count`` integers."""
    if count == 1:
        return [(n,)]
    return [
        (k, *rest)
        for k in range(1, n + 1)
        if n % k == 0
        for rest in factors(n // k, count - 1)
    ]
