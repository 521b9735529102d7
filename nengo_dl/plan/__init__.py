"""Which operators run as one computation, and where each Signal lives. NumPy only."""

from nengo_dl.plan.greedy import greedy_planner
from nengo_dl.plan.groups import OpGroup, Plan, Planner
from nengo_dl.plan.noop import noop_planner

__all__ = ["OpGroup", "Plan", "Planner", "greedy_planner", "noop_planner"]
