"""A study: its trials in Optuna's journal, which any number of processes and machines work off together. Torch-free.

Which options a trial has is a function of the trials before it, the seed and its place in the order, and of no state of
a process: so a study that is interrupted and gone on with tries what an uninterrupted one does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dlcli.core.errors import DlError
from dlcli.core.locks import HeldError, hold, hold_when_free
from dlcli.core.tune_dir import TuneDir
from dlcli.engine.tuning.journal import FAULTS, damaged, open_journal
from dlcli.engine.tuning.plan import Plan
from dlcli.engine.tuning.sampling import draw_untried, num_combinations, pruner_of, require_optuna, sampler_of, suggest

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

MOST_ATTEMPTS = 3
"""How many processes may die in a trial before it counts as failed, as one that takes all memory and its study too."""

MOST_REDRAWS = 20
"""How often another trial is drawn in place of one that has been tried: with one seed for all it would end the same."""

LEAST_IMPORTANT = 8
"""Of fewer finished trials, a share of the variance says nothing."""

WAITING, RUNNING, FINISHED, PRUNED, FAILED = "waiting", "running", "finished", "pruned", "failed"

DEFAULT, RUN, REPLACED, ATTEMPT, VALUE, ERROR, PLACE, NOTES = (
    "default",
    "run",
    "replaced",
    "attempt",
    "value",
    "error",
    "place",
    "notes",
)
"""What a trial is noted with in the journal, besides what Optuna itself keeps."""


@dataclass(frozen=True)
class Trial:
    """A trial as people see it.

    Attributes:
        place: its place in the order, from 0, the default recipe.
        status: waiting, running, finished, pruned or failed.
        run: the name of its run in `trials/`; with folds, that of the first.
        values: option -> value, for the options that are tuned; {} for a default recipe outside the space.
        value: the goal; None without one.
        standard_error: of the value over the folds; None without folds.
        epochs, seconds: how long it has trained.
        error: why it failed.
    """

    place: int
    status: str
    run: str
    values: Mapping[str, Any]
    value: float | None = None
    standard_error: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    error: str | None = None

    @property
    def is_default(self) -> bool:
        """Whether it is the default recipe."""
        return self.place == 0


@dataclass(frozen=True)
class Job:
    """A trial that this process has taken.

    Attributes:
        place, run, values: see `Trial`.
        trial: what Optuna knows of it.
    """

    place: int
    run: str
    values: Mapping[str, Any]
    trial: optuna.Trial

    @property
    def is_default(self) -> bool:
        """Whether it is the default recipe, which is never pruned."""
        return self.place == 0


class Study:
    """The trials of a study; every method may be called while other processes do the same.

    Args:
        tune: the study's folder.
        plan: what is tuned.

    Raises:
        RunError: the journal is damaged.
        UsageError: Optuna is not installed, or the space does not fit the task.
    """

    def __init__(self, tune: TuneDir, plan: Plan) -> None:
        require_optuna()
        self.tune = tune
        self.plan = plan
        self.space = plan.space()
        self._mine: set[int] = set()
        with self._locked():
            self._storage = open_journal(tune.journal)
            self._study = self._open()
            self._trials()  # a journal of another program fails here

    def _open(self) -> optuna.Study:
        import optuna

        sampler, pruner = sampler_of(self.plan, 0), pruner_of(self.plan)
        try:
            known = self._storage.get_all_studies()
            if known:
                name = known[0].study_name
                return optuna.load_study(study_name=name, storage=self._storage, sampler=sampler, pruner=pruner)
        except FAULTS as error:
            raise damaged(self.tune.journal, str(error)) from None
        direction: Literal["maximize", "minimize"] = "maximize" if self.plan.larger_is_better else "minimize"
        study = optuna.create_study(
            storage=self._storage, sampler=sampler, pruner=pruner, study_name=self.tune.name, direction=direction
        )
        drawn = {each.name: each.drawn_of(self.plan.default.get(each.name)) for each in self.space}
        fixed = drawn if self._default_fits() else {}
        study.enqueue_trial(fixed, user_attrs={DEFAULT: True, PLACE: 0, RUN: "0000"})
        return study

    @contextmanager
    def taking(self, num_trials: int) -> Iterator[Job | None]:
        """Take the next trial, and hold it during the block; None if all are taken.

        Trials whose process has died are taken again first. A block that neither `finish`es nor `fail`s the trial
        gives it back, to be gone on with.

        Args:
            num_trials: how many the study has, the default recipe included.
        """
        with ExitStack() as stack:
            with self._locked():
                self._revive()
                job = self._next(num_trials)
                if job is not None:
                    # Who has given it back is still about to let it go.
                    stack.enter_context(hold_when_free(self.tune.trial_lock(job.run)))
                    self._mine.add(job.trial.number)
            try:
                yield job
            finally:
                if job is not None and self._frozen(job).state.name == "RUNNING":
                    with self._locked():
                        self._replace(self._frozen(job), is_death=False)

    def _next(self, num_trials: int) -> Job | None:
        trials = self._trials()
        counted = [each for each in trials if not each.user_attrs.get(REPLACED)]
        num_waiting = sum(each.state.name == "WAITING" for each in counted)
        if len(counted) - num_waiting >= num_trials:
            return None
        tried = [self._settled(each.params) for each in counted if each.params]
        if not num_waiting and num_combinations(self.space) <= num_trials:
            drawn = draw_untried(self.plan, self.space, tried, len(counted))
            if drawn is None:
                return None
            self._study.enqueue_trial(drawn)
        return self._ask(len(counted), tried)

    def _settled(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a trial has drawn, so that equal options are equal numbers."""
        known = {each.name: each for each in self.space}
        return {name: known[name].settled(drawn) if name in known else drawn for name, drawn in params.items()}

    def _ask(self, num_counted: int, tried: Sequence[Mapping[str, Any]]) -> Job:
        """Return the trial that waits, or else a new one that differs from those tried."""
        for redraw in range(MOST_REDRAWS + 1):
            self._study.sampler = sampler_of(self.plan, num_counted + (redraw << 20))
            trial = self._study.ask()
            is_known = RUN in trial.user_attrs
            has_values = not trial.user_attrs.get(DEFAULT) or self._default_fits()
            drawn = {each.name: suggest(trial, each) for each in self.space} if has_values else {}
            if is_known or drawn not in tried or redraw == MOST_REDRAWS:
                break
            trial.set_user_attr(REPLACED, True)
            self._end(trial._trial_id, "FAIL")
        place = int(trial.user_attrs.get(PLACE, num_counted))
        run = str(trial.user_attrs.get(RUN, f"{place:04d}"))
        if not is_known:
            trial.set_user_attr(PLACE, place)
            trial.set_user_attr(RUN, run)
        values = {each.name: each.value_of(drawn[each.name]) for each in self.space} if drawn else {}
        return Job(place, run, values, trial)

    def _default_fits(self) -> bool:
        return all(each.drawn_of(self.plan.default.get(each.name)) is not None for each in self.space)

    def report(self, job: Job, step: int, value: float) -> bool:
        """Note the goal after an epoch, or after a fold, and return whether the trial is hopeless by it."""
        job.trial.report(value, step)  # of a trial that is gone on with, a step may be known already
        return not job.is_default and job.trial.should_prune()

    def finish(
        self, job: Job, value: float, *, epochs: int, seconds: float, standard_error: float | None, is_pruned: bool
    ) -> None:
        """Note how a trial has ended, and make it the best of the study if it is."""
        notes = {"epochs": epochs, "seconds": round(seconds, 1), "standard_error": standard_error}
        with self._locked():
            self._note(job, {VALUE: value, NOTES: notes})
            # A trial without parameters would tell Optuna that it draws from an empty space.
            outside = job.is_default and not self._default_fits()
            state = "FAIL" if outside else "PRUNED" if is_pruned else "COMPLETE"
            self._end(job.trial._trial_id, state, value if state == "COMPLETE" else None)
            best = self.best()
            if best is not None:
                entry = {"trial": best.place, "run": best.run, "value": best.value, "options": dict(best.values)}
                self.tune.update_info(best=entry)

    def fail(self, job: Job, error: DlError) -> None:
        """Note that a trial has failed."""
        with self._locked():
            self._note(job, {ERROR: error.message[:300]})
            self._end(job.trial._trial_id, "FAIL")

    def change(self, **entries: Any) -> None:
        """Change entries of the study's `tune.json`."""
        with self._locked():
            self.tune.update_info(**entries)

    def trials(self) -> list[Trial]:
        """Return the trials in order, each once, also if several processes have worked on it."""
        found = [self._seen(each) for each in self._trials() if not each.user_attrs.get(REPLACED)]
        return sorted(found, key=lambda trial: trial.place)

    def best(self) -> Trial | None:
        """Return the best finished trial, of equal ones the first; None if there is none."""
        finished = [each for each in self.trials() if each.status == FINISHED and each.value is not None]
        sign = -1.0 if self.plan.larger_is_better else 1.0
        return min(finished, key=lambda trial: sign * (trial.value or 0.0), default=None)

    def importances(self) -> dict[str, float]:
        """Return how much of the variance of the goal each option explains, largest first; {} for too few trials.

        Source: Hutter et al. 2014, "An Efficient Approach for Assessing Hyperparameter Importance" (fANOVA).
        """
        import optuna
        from optuna.importance import FanovaImportanceEvaluator

        done = [each for each in self._trials() if each.state.name == "COMPLETE"]
        if len(done) < LEAST_IMPORTANT or len({each.value for each in done}) < 2:
            return {}
        evaluator = FanovaImportanceEvaluator(seed=0)
        try:
            found = optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        except (ValueError, RuntimeError):  # an option that had one value in all of them
            return {}
        return {name: float(value) for name, value in found.items()}

    def _seen(self, trial: FrozenTrial) -> Trial:
        attrs, state = trial.user_attrs, trial.state.name
        noted = attrs.get(VALUE)
        value = float(noted) if isinstance(noted, (int, float)) and math.isfinite(noted) else None
        status = {"WAITING": WAITING, "RUNNING": RUNNING, "COMPLETE": FINISHED, "PRUNED": PRUNED}.get(state, FAILED)
        if status == FAILED and value is not None:  # a default recipe outside the space
            status = FINISHED
        notes = attrs.get(NOTES) if isinstance(attrs.get(NOTES), dict) else {}
        assert isinstance(notes, dict)
        drawn = trial.params
        values = {each.name: each.value_of(drawn[each.name]) for each in self.space if each.name in drawn}
        error = attrs.get(ERROR)
        return Trial(
            place=int(attrs.get(PLACE, trial.number)),
            status=status,
            run=str(attrs.get(RUN, "")) + ("-1" if self.plan.folds > 1 else ""),
            values=values,
            value=value,
            standard_error=notes.get("standard_error"),
            epochs=int(notes.get("epochs") or 0),
            seconds=float(notes.get("seconds") or 0.0),
            error=str(error) if error is not None else None,
        )

    def _revive(self) -> None:
        """Let the trials be taken again whose process has died: the lock of such a one is free."""
        for trial in self._trials():
            if trial.state.name != "RUNNING" or trial.number in self._mine:
                continue
            run = trial.user_attrs.get(RUN)
            if not isinstance(run, str):  # its process died while it drew the trial, of which nothing was used
                self._storage.set_trial_user_attr(trial._trial_id, REPLACED, True)
                self._end(trial._trial_id, "FAIL")
                continue
            try:
                with hold(self.tune.trial_lock(run)):
                    self._replace(trial, is_death=True)
            except HeldError:
                continue

    def _replace(self, trial: FrozenTrial, *, is_death: bool) -> None:
        """Mark a trial as failed and queue it again, to be gone on with in its run."""
        storage = self._storage
        attempt = int(trial.user_attrs.get(ATTEMPT, 1)) + is_death
        kept = {name: trial.user_attrs[name] for name in (DEFAULT, PLACE, RUN) if name in trial.user_attrs}
        if attempt > MOST_ATTEMPTS:
            storage.set_trial_user_attr(trial._trial_id, ERROR, f"its process was killed {MOST_ATTEMPTS} times")
        else:
            storage.set_trial_user_attr(trial._trial_id, REPLACED, True)
            self._study.enqueue_trial(dict(trial.params), user_attrs={**kept, ATTEMPT: attempt})
        self._end(trial._trial_id, "FAIL")

    def _end(self, trial_id: int, state: str, value: float | None = None) -> None:
        """Note the end of a trial: not by `Study.tell`, after which a sampler might stop a loop that does not exist."""
        from optuna.trial import TrialState

        self._storage.set_trial_state_values(trial_id, TrialState[state], None if value is None else [value])

    def _note(self, job: Job, notes: Mapping[str, Any]) -> None:
        for name, value in notes.items():
            job.trial.set_user_attr(name, value)

    def _frozen(self, job: Job) -> FrozenTrial:
        return self._trials()[job.trial.number]

    def _trials(self) -> Sequence[FrozenTrial]:
        try:
            return self._study.get_trials(deepcopy=False)
        except FAULTS as error:
            raise damaged(self.tune.journal, str(error)) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the study's lock; it is never held for longer than a draw takes."""
        with hold_when_free(self.tune.lock_file):
            yield
