"""Bad command lines with layer groups, and with values of schedules and optimizers."""

from __future__ import annotations

from bad_inputs.arrange import QUICK, USAGE, Row

DIGITS = f"train digits {QUICK}"

FINE_TUNING = {
    "stage misspelt": Row(f"{DIGITS} --freeze layer9", USAGE, "no stage 'layer9'", lambda b: b.digits()),
    "more groups than there are": Row(f"{DIGITS} --freeze -7", USAGE, "in 3 groups", lambda b: b.digits()),
    "no group left": Row(f"{DIGITS} --freeze -0", USAGE, "-1 (the head alone)", lambda b: b.digits()),
    "more rates than stages": Row(f"{DIGITS} --lr 1,1,1,1,1,1,1", USAGE, "too few for 7 groups", lambda b: b.digits()),
    "every rate zero": Row(f"{DIGITS} --lr 0,0", USAGE, "every layer is frozen", lambda b: b.digits()),
    "a rate that is no number": Row("train digits --lr 1e-3,fast", USAGE, "numbers separated by commas"),
    "a rate below zero": Row("train digits --lr 1e-3,-1", USAGE, "--lr must be at least 0"),
    "rates with a gap": Row("train digits --lr 1e-3,,1e-2", USAGE, "'1e-3,,1e-2'"),
    "a stage before the target": Row(
        f"train --freeze layer7 {QUICK} digits", USAGE, "no stage 'layer7'", lambda b: b.digits()
    ),
    "schedule misspelt": Row("train digits --schedule stepp:5", USAGE, "did you mean 'step'"),
    "schedule without its value": Row("train digits --schedule step:", USAGE, "epochs is a whole number"),
    "schedule with a value too many": Row("train digits --schedule exponential:0.9,5", USAGE, "one value too many"),
    "schedule with an unknown value": Row("train digits --schedule step:5,gamma=0.9", USAGE, "no value 'gamma'"),
    "schedule of a rise out of range": Row("train digits --schedule onecycle:32,5", USAGE, "rise must be above 0"),
    "schedule that takes none": Row("train digits --schedule constant:1", USAGE, "constant takes none"),
    "optimizer with a value out of range": Row("train digits --optimizer adam:1.5", USAGE, "beta1 must be at least 0"),
    "optimizer with no switch": Row("train digits --optimizer sgd:nesterov=maybe", USAGE, "nesterov is yes or no"),
    "optimizer that takes none": Row("train digits --optimizer muon:0.9", USAGE, "muon takes none"),
    "l1 with the lazy optimizer": Row(
        f"{DIGITS} --optimizer lazyadam --weight-decay 0 --l1 1e-4", USAGE, "has no L1 penalty", lambda b: b.digits()
    ),
    "dropout where there is none": Row(
        "train digits --model resnet --image-size 28 --epochs 1 --threads 1 --dropout 0.5",
        USAGE,
        "resnet has no dropout",
        lambda b: b.digits(),
    ),
    "cache of more than a head": Row(
        f"{DIGITS} --cache features --freeze -2", USAGE, "more than the head", lambda b: b.digits()
    ),
    "a cache of something else": Row("train digits --cache images", USAGE, "--cache cannot be 'images'"),
    "an ensemble of cached features": Row(
        f"{DIGITS} --cache features --freeze --ensemble 2",
        USAGE,
        "each member of an ensemble has its own",
        lambda b: b.digits(),
    ),
    "an ensemble of none": Row("train digits --ensemble 0", USAGE, "--ensemble must be at least 1"),
    "an ensemble of detectors": Row("train detection --ensemble 2", USAGE, "no such option: --ensemble"),
    "rates in a file": Row(
        "train digits --config c.toml",
        USAGE,
        "learning_rate",
        lambda b: b.write("c.toml", "learning_rate = [1e-3, true]"),
    ),
    "no rate in a file": Row(
        "train digits --config c.toml", USAGE, "needs a value", lambda b: b.write("c.toml", "learning_rate = []")
    ),
    "a schedule in a file": Row(
        "train digits --config c.toml", USAGE, "c.toml: schedule", lambda b: b.write("c.toml", 'schedule = "step:x"')
    ),
}
