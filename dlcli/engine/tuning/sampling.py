"""How a study draws trials and gives them up, by Optuna's samplers and pruners. Torch-free; Optuna is imported late."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from dlcli.core.errors import UsageError
from dlcli.core.installing import extra
from dlcli.engine.tuning.plan import Plan
from dlcli.engine.tuning.space import Parameter

if TYPE_CHECKING:
    import optuna


def require_optuna() -> None:
    """Check that Optuna is installed, and let it keep quiet.

    Raises:
        UsageError: it is not.
    """
    try:
        import optuna
    except ImportError:
        raise UsageError("dl tune needs Optuna, which is not installed", hint=extra("tune")) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def num_combinations(space: tuple[Parameter, ...]) -> float:
    """Return how many different trials a space has; infinity if an option is a real number."""
    return math.prod(each.num_values for each in space)


def sampler_of(plan: Plan, place: int) -> optuna.samplers.BaseSampler:
    """Return a sampler without a past: its draws depend on the trials in the journal, the seed and the place."""
    import numpy as np
    from optuna.samplers import RandomSampler, TPESampler

    seed = int(np.random.SeedSequence([plan.seed, place]).generate_state(1)[0])
    return TPESampler(seed=seed) if plan.sampler == "tpe" else RandomSampler(seed=seed)


def draw_untried(
    plan: Plan, space: tuple[Parameter, ...], tried: Sequence[Mapping[str, Any]], place: int
) -> dict[str, Any] | None:
    """Return one of the combinations of a small space that is not among the tried ones; None if there is none."""
    import numpy as np

    names = [each.name for each in space]
    combinations = [dict(zip(names, drawn, strict=True)) for drawn in product(*(each.values() for each in space))]
    left = [each for each in combinations if each not in tried]
    return left[int(np.random.default_rng([plan.seed, place]).integers(len(left)))] if left else None


def pruner_of(plan: Plan) -> optuna.pruners.BasePruner:
    """Return the rule by which trials are given up."""
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    steps = plan.folds if plan.folds > 1 else plan.epochs
    if plan.pruner == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=max(1, steps), reduction_factor=3)
    # Four trials before the first is pruned, and none by its first epoch: figures of a first epoch say little.
    return MedianPruner(n_startup_trials=4, n_warmup_steps=2) if plan.pruner == "median" else NopPruner()


def suggest(trial: optuna.Trial, parameter: Parameter) -> Any:
    """Return what is drawn for an option: the text of a choice, or a number."""
    if parameter.choices:
        return trial.suggest_categorical(parameter.name, parameter.choices)
    assert parameter.low is not None and parameter.high is not None
    low, high, step, is_log = parameter.low, parameter.high, parameter.step, parameter.is_log
    if parameter.is_int:
        whole = int(step or 1)
        last = int(low) + (int(high) - int(low)) // whole * whole
        return trial.suggest_int(parameter.name, int(low), last, step=whole, log=is_log)
    if step is not None:
        high = parameter.at(int(parameter.num_values) - 1)
    return parameter.settled(trial.suggest_float(parameter.name, low, high, step=step, log=is_log))
