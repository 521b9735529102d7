"""NIR graphs for tests, some of them drawn at random."""

import nir
import numpy as np


def neurons(rng, kind, shape, several=True):
    """Parameters of an elementwise node, drawn at random."""

    def between(low, high):
        return rng.uniform(low, high, shape)

    tau = np.full(shape, rng.uniform(0.004, 0.03))
    if several and rng.rand() < 0.3:
        tau = rng.choice([0.005, 0.01, 0.02], shape)
    fire = {"v_threshold": between(0.3, 0.6), "v_reset": between(-0.2, 0.2)}
    leak = {"r": between(0.5, 2), "v_leak": between(-0.1, 0.1)}
    synapse = {"tau_syn": between(0.01, 0.02) * 0 + 0.01, "w_in": between(1, 2)}
    return {
        "LI": lambda: nir.LI(tau=tau, **leak),
        "LIF": lambda: nir.LIF(tau=tau, **leak, **fire),
        "CubaLI": lambda: nir.CubaLI(tau_mem=tau, **leak, **synapse),
        "CubaLIF": lambda: nir.CubaLIF(tau_mem=tau, **leak, **fire, **synapse),
        "IF": lambda: nir.IF(r=between(20, 90), **fire),
        "I": lambda: nir.I(r=between(1, 20)),
        "Threshold": lambda: nir.Threshold(threshold=between(-0.2, 0.5)),
        "Scale": lambda: nir.Scale(scale=between(0.5, 2)),
        "Delay": lambda: nir.Delay(delay=rng.randint(0, 5, shape) * 1e-3),
    }[kind]()


class RandomGraph:
    """A graph of several layers, with branches and loops."""

    def __init__(self, seed, n_layers=4):
        self.rng = np.random.RandomState(seed)
        self.nodes = {}
        self.edges = []
        planes = self.rng.rand() < 0.5
        shape = (2, 5, 6) if planes else (self.rng.randint(1, 5),)
        if not planes and self.rng.rand() < 0.2:
            shape = (2, 9)
        self.shape = shape
        self.last = [self.add("Input", nir.Input(np.array(shape)), [])]
        for _ in range(n_layers):
            self.add_layer()
        self.add("Output", nir.Output(np.array(self.shape)), self.last)
        self.graph = nir.NIRGraph(self.nodes, self.edges, type_check=False)

    def add(self, kind, node, before):
        name = f"{kind}{len(self.nodes)}"
        self.nodes[name] = node
        self.edges += [(pre, name) for pre in before]
        return name

    def add_layer(self):
        rng = self.rng
        if len(self.shape) == 3:
            kind = rng.choice(["Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "point"])
        elif len(self.shape) == 2:
            kind = rng.choice(["Conv1d", "Flatten", "point"])
        else:
            kind = rng.choice(["Linear", "Affine", "point", "point", "loop"])
        getattr(self, f"layer_{kind}".replace("Affine", "Linear"))(kind)

    def layer_Conv2d(self, kind):
        rng = self.rng
        n_axes = len(self.shape) - 1
        groups = rng.choice([1, self.shape[0]])
        n_out = int(groups * rng.randint(1, 3))
        sizes = rng.randint(1, 4, n_axes)
        stride = rng.randint(1, 3)
        choices = [1, "valid"] + ["same"] * (stride == 1)
        padding = choices[rng.randint(len(choices))]
        dilation = 1 if min(self.shape[1:]) < 5 else rng.randint(1, 3)
        reach = (sizes - 1) * dilation + 1
        if np.any(reach > np.array(self.shape[1:])):
            return
        weight = rng.normal(size=(n_out, self.shape[0] // groups, *sizes))
        node = getattr(nir, kind)(
            input_shape=self.shape[1] if n_axes == 1 else self.shape[1:],
            weight=weight,
            stride=int(stride),
            padding=padding,
            dilation=int(dilation),
            groups=int(groups),
            bias=rng.normal(size=n_out) * rng.randint(2),
        )
        self.last = [self.add(kind, node, self.last)]
        total = {"valid": 0 * reach, "same": reach - 1}.get(padding, 2 + 0 * reach)
        self.shape = (
            n_out,
            *((np.array(self.shape[1:]) + total - reach) // stride + 1),
        )
        self.shape = tuple(int(n) for n in self.shape)

    layer_Conv1d = layer_Conv2d

    def layer_SumPool2d(self, kind):
        if min(self.shape[1:]) < 2:
            return
        padding = self.rng.randint(0, 2, 2)
        node = getattr(nir, kind)(np.array([2, 2]), self.rng.randint(1, 3, 2), padding)
        self.last = [self.add(kind, node, self.last)]
        places = (np.array(self.shape[1:]) + 2 * padding - 2) // node.stride + 1
        self.shape = (self.shape[0], *(int(n) for n in places))

    layer_AvgPool2d = layer_SumPool2d

    def layer_Flatten(self, kind):
        node = nir.Flatten({"input": np.array(self.shape)}, 0, -1)
        self.last = [self.add(kind, node, self.last)]
        self.shape = (int(np.prod(self.shape)),)

    def layer_Linear(self, kind):
        rng = self.rng
        n_in, n_out = self.shape[0], rng.randint(1, 6)
        weight = rng.normal(size=(n_out, n_in)) * 2 / np.sqrt(n_in)
        bias = [rng.normal(size=n_out)] if kind == "Affine" else []
        self.last = [self.add(kind, getattr(nir, kind)(weight, *bias), self.last)]
        self.shape = (n_out,)

    def layer_point(self, kind):
        kinds = ["LI", "LIF", "CubaLI", "CubaLIF", "IF", "I", "Threshold", "Scale"]
        kinds += ["Delay"] * (len(self.shape) == 1)
        branches = 1 + (self.rng.rand() < 0.3)
        self.last = [
            self.add(kind, neurons(self.rng, kind, self.shape), self.last)
            for kind in self.rng.choice(kinds, branches)
        ]

    def layer_loop(self, kind):
        kind = self.rng.choice(["LIF", "CubaLIF", "LI", "IF"])
        name = self.add(kind, neurons(self.rng, kind, self.shape), self.last)
        n = self.shape[0]
        back = nir.Linear(self.rng.normal(size=(n, n)) / n)
        self.edges.append((self.add("Linear", back, [name]), name))
        self.last = [name]
