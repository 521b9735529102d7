"""NIR's equations, stepped by NumPy: what networks made of graphs are compared with."""

import nir
import numpy as np


def pairs(value, n=2):
    return tuple(int(v) for v in np.broadcast_to(value, n))


class Stepper:
    """One node; ``step`` takes its input and returns its output."""

    def __init__(self, node, dt, euler):
        self.node = node
        self.dt = dt
        self.euler = euler
        self.v = self.current = 0.0
        self.past = []

    def part(self, tau):
        return self.dt / tau if self.euler else -np.expm1(-self.dt / tau)

    def step(self, x):
        return getattr(self, type(self.node).__name__)(self.node, x)

    def Input(self, node, x):
        return x

    Output = Input

    def Linear(self, node, x):
        return node.weight @ x.reshape(-1)

    def Affine(self, node, x):
        return node.weight @ x.reshape(-1) + node.bias

    def Scale(self, node, x):
        return node.scale * x

    def Flatten(self, node, x):
        return x.reshape(-1)

    def Threshold(self, node, x):
        return (x > node.threshold).astype(float)

    def Delay(self, node, x):
        self.past.append(x)
        steps = np.round(node.delay / self.dt).astype(int)
        found = np.zeros_like(x)
        for i, k in enumerate(steps):
            if k < len(self.past):
                found[i] = self.past[-1 - k][i]
        return found

    def I(self, node, x):  # noqa: E743
        self.v = self.v + self.dt * node.r * x
        return self.v

    def LI(self, node, x):
        self.v = self.v + self.part(node.tau) * (node.v_leak - self.v + node.r * x)
        return self.v

    def fire(self, node):
        spikes = self.v > node.v_threshold
        self.v = np.where(spikes, node.v_reset, self.v)
        return spikes.astype(float)

    def LIF(self, node, x):
        self.LI(node, x)
        return self.fire(node)

    def IF(self, node, x):
        self.I(node, x)
        return self.fire(node)

    def synapse(self, node, x):
        self.current = self.current + self.part(node.tau_syn) * (
            node.w_in * x - self.current
        )
        self.v = self.v + self.part(node.tau_mem) * (
            node.v_leak - self.v + node.r * self.current
        )
        return self.v

    CubaLI = synapse

    def CubaLIF(self, node, x):
        self.synapse(node, x)
        return self.fire(node)

    def windows(self, x, sizes, stride, padding, dilation):
        """Yield places of the output, and what the kernel sees there."""
        x = np.pad(x, [(0, 0), *padding])
        reach = [(k - 1) * d + 1 for k, d in zip(sizes, dilation, strict=True)]
        shape = [
            (n - r) // s + 1 for n, r, s in zip(x.shape[1:], reach, stride, strict=True)
        ]
        for place in np.ndindex(*shape):
            corner = [p * s for p, s in zip(place, stride, strict=True)]
            window = (
                slice(c, c + r, d)
                for c, r, d in zip(corner, reach, dilation, strict=True)
            )
            yield shape, place, x[(slice(None), *window)]

    def convolution(self, node, x):
        n_out, n_in, *sizes = node.weight.shape
        n = len(sizes)
        stride, dilation = pairs(node.stride, n), pairs(node.dilation, n)
        if node.padding == "same":
            totals = [d * (k - 1) for k, d in zip(sizes, dilation, strict=True)]
            padding = [(t // 2, t - t // 2) for t in totals]
        elif node.padding == "valid":
            padding = [(0, 0)] * n
        else:
            padding = [(p, p) for p in pairs(node.padding, n)]
        found = None
        per_group = n_out // node.groups
        for shape, place, seen in self.windows(x, sizes, stride, padding, dilation):
            if found is None:
                found = np.zeros((n_out, *shape))
            for o in range(n_out):
                first = o // per_group * n_in
                part = seen[first : first + n_in]
                found[(o, *place)] = np.sum(part * node.weight[o]) + node.bias[o]
        return found

    Conv1d = Conv2d = convolution

    def SumPool2d(self, node, x, mean=False):
        sizes, stride = pairs(node.kernel_size), pairs(node.stride)
        padding = [(p, p) for p in pairs(node.padding)]
        found = None
        for shape, place, seen in self.windows(x, sizes, stride, padding, (1, 1)):
            if found is None:
                found = np.zeros((len(x), *shape))
            total = seen.sum(axis=(1, 2))
            found[(slice(None), *place)] = total / np.prod(sizes) if mean else total
        return found

    def AvgPool2d(self, node, x):
        return self.SumPool2d(node, x, mean=True)


def integrate(graph, data, dt, euler=False):
    """Return what the Outputs have sent in each step.

    Parameters
    ----------
    graph : nir.NIRGraph
        Nodes in an order in which each comes after those that it receives from; edges
        that lead back pass on what was sent in the step before.
    data : dict of {str: array}
        What Inputs send, shape (n_steps, ...).
    """
    steppers = {name: Stepper(node, dt, euler) for name, node in graph.nodes.items()}
    order = {name: i for i, name in enumerate(graph.nodes)}
    found = {n: [] for n, node in graph.nodes.items() if isinstance(node, nir.Output)}
    sent = {}
    for i in range(len(next(iter(data.values())))):
        before, sent = sent, {}
        for name, stepper in steppers.items():
            if name in data:
                sent[name] = stepper.step(data[name][i])
                continue
            x = 0.0
            for pre, post in graph.edges:
                if post == name and order[pre] < order[name]:
                    x = x + sent[pre]
                elif post == name and before:
                    x = x + before[pre]
            sent[name] = stepper.step(x)
            if name in found:
                found[name].append(sent[name].reshape(-1))
    return {name: np.array(values) for name, values in found.items()}
