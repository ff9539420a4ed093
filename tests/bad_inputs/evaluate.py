"""Bad command lines of `dl eval`."""

from __future__ import annotations

from bad_inputs.arrange import (
    DATA,
    RUN,
    RUN_CODE,
    USAGE,
    Row,
    change_info,
    cut_checkpoints,
    damage,
    name_other_network,
    remove_checkpoints,
    run_and_photos,
    run_with_trap,
)
from dlcli.core.errors import ExitCode

EVALUATE = {
    "no run": Row("eval", USAGE, "RUN"),
    "more examples than there are": Row(
        f"eval {RUN} --few-shot 99999", USAGE, "training items", lambda b: b.run(), answers=0
    ),
    "run missing": Row("eval digit-lenet-1", RUN_CODE, RUN, lambda b: b.run()),
    "no runs at all": Row("eval latest", RUN_CODE, "dl train"),
    "run.json broken": Row(f"eval {RUN}", RUN_CODE, "run.json", damage(lambda run: run.info_file.write_text("{"))),
    "run.json not text": Row(
        f"eval {RUN}", RUN_CODE, "run.json", damage(lambda run: run.info_file.write_bytes(b"\xff\xfe\0"))
    ),
    "run.json another thing": Row(
        f"eval {RUN}", RUN_CODE, "not a run", damage(lambda run: run.info_file.write_text("[]"))
    ),
    "run.json without a task": Row(
        f"eval {RUN}",
        RUN_CODE,
        "'task'",
        damage(lambda r: r.info_file.write_text('{"schema": 1, "data": "data/digits"}')),
    ),
    "run of a newer version": Row(f"eval {RUN}", RUN_CODE, "newer", damage(change_info(schema=99))),
    "run of a task that is gone": Row(f"eval {RUN}", RUN_CODE, "'juggling'", damage(change_info(task="juggling"))),
    "run in an unknown format": Row(f"rerun {RUN}", RUN_CODE, "'precision'", damage(change_info(precision="fp8"))),
    "resumed in an unknown format": Row(
        f"train --resume {RUN}", RUN_CODE, "'precision'", damage(change_info(precision="fp8", status="interrupted"))
    ),
    "config.toml broken": Row(
        f"eval {RUN}", RUN_CODE, "config.toml", damage(lambda run: run.config_file.write_text("epochs = "))
    ),
    "config.toml out of range": Row(
        f"eval {RUN}", RUN_CODE, "config.toml", damage(lambda run: run.config_file.write_text("epochs = -1"))
    ),
    "config.toml missing": Row(f"eval {RUN}", RUN_CODE, "config.toml", damage(lambda run: run.config_file.unlink())),
    "config.toml with another network": Row(
        f"eval {RUN}", RUN_CODE, "'lenot'", damage(lambda run: run.config_file.write_text('model = "lenot"'))
    ),
    "labels missing": Row(
        f"eval {RUN}", RUN_CODE, "labels.json", damage(lambda run: (run.path / "labels.json").unlink())
    ),
    "labels broken": Row(
        f"eval {RUN}", RUN_CODE, "labels", damage(lambda run: (run.path / "labels.json").write_text('{"a": 1}'))
    ),
    "checkpoint missing": Row(f"eval {RUN}", RUN_CODE, "no such checkpoint", damage(remove_checkpoints)),
    "checkpoint cut off": Row(f"eval {RUN}", RUN_CODE, "best.pt: damaged", damage(cut_checkpoints)),
    "checkpoint empty": Row(
        f"eval {RUN}", RUN_CODE, "best.pt", damage(lambda run: run.best_checkpoint.write_bytes(b""))
    ),
    "checkpoint that is a trap": Row(f"eval {RUN}", RUN_CODE, "refused", run_with_trap),
    "checkpoint of another network": Row(
        f"eval {RUN}", RUN_CODE, "does not fit the network", damage(name_other_network)
    ),
    "data gone": Row(f"eval {RUN}", DATA, "no prepared data", lambda b: (b.run(), (b.home / "data/digits").unlink())),
    "data with an unknown class": Row(f"eval {RUN} --data photos --split train", DATA, "'cat'", run_and_photos),
    "split misspelt": Row(f"eval {RUN} --split tset", USAGE, "'test'", lambda b: b.run()),
    "split that the data lacks": Row(
        f"eval {RUN} --data own", DATA, "no split 'test'", lambda b: (b.run(), b.photos("own", ("1", "2")))
    ),
    "bound not met": Row(
        f"eval {RUN} --fail-under accuracy=0.999 --no-plots",
        ExitCode.THRESHOLD,
        "under the bound of 0.999",
        lambda b: b.run(),
        answers=26,
        leaves=("runs/*/eval*",),
    ),
    "bound malformed": Row(f"eval {RUN} --fail-under accuracy", USAGE, "METRIC=NUMBER", lambda b: b.run()),
    "bound not a number": Row(f"eval {RUN} --fail-under accuracy=nan", USAGE, "METRIC=NUMBER", lambda b: b.run()),
    "metric misspelt": Row(f"eval {RUN} --fail-under acuracy=0.1", USAGE, "'accuracy'", lambda b: b.run()),
    "threads out of range": Row(f"eval {RUN} --threads 0", USAGE, "--threads", lambda b: b.run()),
}
