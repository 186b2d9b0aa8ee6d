"""Which short trainings cover every row of every catalog, and what else is trained to be compared.

The rows are asked of the program. A row that is new is trained by its name alone where that is enough; elsewhere
the script says that it has no training for it, and fails.
"""

from dataclasses import dataclass

from program import merged

# Ten steps in each of two epochs, and a last batch that is not full.
SHORT = (
    "--train-size 150 --valid-size 40 --epochs 2 --batch-size 16 --learning-rate 0.01"
    " --augment none --weight-decay 0 --dropout 0"
)
MLP = merged(SHORT, "--model mlp --hidden 16")
CNN = merged(SHORT, "--model cnn --widths 4,6")
RESNET = merged(SHORT, "--model resnet20 --train-size 24 --valid-size 8 --batch-size 8")
# Networks of any size, with an optimizer that remembers nothing, or its checkpoints would take longest.
LARGE = merged(
    SHORT, "--train-size 8 --valid-size 4 --batch-size 4 --epochs 1 --optimizer sgd --learning-rate 0.001"
)
# Learns its images by heart within a few epochs, so that rules of stopping have something to see.
OVERFITTING = merged(MLP, "--hidden 64 --train-size 60 --epochs 30 --batch-size 8 --schedule constant")
# A linear regression whose weights grow by a factor in every step if the learning rate is too large.
DIVERGING = (
    "--train-size 96 --valid-size 20 --epochs 8 --batch-size 8 --model mlp --hidden none --loss squared-error"
    " --keep last --optimizer sgd --schedule constant --weight-decay 0 --dropout 0 --augment crop=2"
)
# All that goes together in a residual network.
EVERYTHING = merged(
    RESNET,
    "--dropout 0.2 --stochastic-depth 0.2 --label-smoothing 0.1:others --disturb-label 20 --mixup 0.4"
    " --cutmix 1 --augment crop=2,rotate=10,cutout=4,alternating-flip --weight-decay 1e-3 --l1 1e-5 --decay all"
    " --max-norm 2 --ema 0.9 --lookahead k=2,alpha=0.5 --sam 0.05 --clip-norm 1 --accumulate 2"
    " --schedule plateau=patience:1 --early-stopping patience=9,min-delta=0.001 --epochs 4",
)


@dataclass(frozen=True)
class Training:
    """A training from its beginning to its end."""

    name: str
    flags: str
    # A name of `data list`, or with `:published` behind it the files in $BACKBURN_DATA.
    data: str = "mnist"
    # The status that its manifest must end with, for else it shows nothing.
    status: str = "finished"


class Family:
    """A catalog: how its rows are asked for, and the flags that each is trained with."""

    def __init__(self, name, flag, base, rows, *, by_name=True, data=None, status="finished"):
        self.name, self.flag, self.base, self.rows = name, flag, base, rows
        # Whether a row that stands not in `rows` is trained by `flag` and its name.
        self.by_name = by_name
        self.data = data or {}
        self.status = status

    def names(self, program):
        return program.known(f"train digits --{self.flag}")

    def trainings(self, program):
        """The trainings of each row; what has none is told in the second list."""
        trainings, missing = [], []
        names = self.names(program)
        for row in names:
            all_flags = self.rows.get(row, [f"--{self.flag} {row}"] if self.by_name else [])
            if not all_flags:
                missing.append(f"{self.name}: no training for the row `{row}`; give it one in catalogs.py")
            for number, flags in enumerate(all_flags, start=1):
                name = f"{self.name}/{row}" + (f"-{number}" if len(all_flags) > 1 else "")
                data = self.data.get(row, "mnist")
                trainings.append(Training(name, merged(self.base, flags), data, self.status))
        gone = [row for row in self.rows if row not in names]
        missing += [f"{self.name}: the program has no row `{row}` any more" for row in gone]
        return trainings, missing


class Regularizers(Family):
    """Each has a flag of its own name; only the help has the list."""

    def names(self, program):
        return program.section("Regularizers")


class Recipes(Family):
    """Asked for without a data set, or the answer would be of that one."""

    def names(self, program):
        return program.known("train --recipe")


FAMILIES = [
    Family("models", "model", LARGE, {
        "mlp": [
            merged(MLP, "--dropout 0.2"), merged(MLP, "--hidden none"),
            merged(MLP, "--hidden 16,12 --batch-norm on"),
        ],
        "cnn": [CNN, merged(CNN, "--batch-norm on --spatial-dropout 0.2")],
        "lenet-bn": [merged(SHORT, "--model lenet-bn")],
        "cifarnet": [merged(SHORT, "--model cifarnet --widths 8,12,12")],
        "resnet20": [RESNET, merged(RESNET, "--batch-norm off")],
    }),
    Family("optimizers", "optimizer", MLP, {
        "momentum": ["--optimizer momentum", "--optimizer momentum --momentum 0.5"],
        "muon": [
            merged(CNN, "--optimizer muon"),
            merged(CNN, "--optimizer muon --momentum 0.6 --set optimizer.weights=sphere"),
        ],
    }),
    Family("schedules", "schedule", merged(MLP, "--epochs 8"), {
        "step": ["--schedule step=2:0.5"],
        "cosine": ["--schedule cosine", "--schedule cosine=warmup:2,floor:0.01"],
        "one-cycle": ["--schedule one-cycle", "--schedule one-cycle=warmup:50%,start:0.1,end:0.01"],
        "triangular": ["--schedule triangular", "--schedule triangular=warmup:50%,start:0.2,end:0.07"],
        "plateau": ["--schedule plateau=patience:1,factor:0.5,floor:0.01 --learning-rate 0.1"],
    }),
    Family("initializations", "initialization", MLP, {
        "normal": ["--initialization normal=0.05"],
        "constant": ["--initialization constant=0.01"],
        "dirac": [merged(CNN, "--initialization dirac")],
    }),
    Family("normalizations", "normalization", MLP, {}),
    Family("losses", "loss", MLP, {"squared-error": ["--loss squared-error --keep last"]}),
    Family("augmentations", "augment", MLP, {
        "crop": ["--augment crop=2", "--augment crop=4:reflect"],
        "translate": ["--augment translate=2", "--augment translate=2:reflect"],
        "elastic": ["--augment elastic", "--augment elastic=20:3"],
        "randaugment": ["--augment randaugment=2:9"],
    }, data={"saturation": "cifar10", "colour": "cifar10"}),
    Regularizers("regularizers", "", MLP, {
        "disturb-label": ["--disturb-label 20"],
        "disturb-value": ["--disturb-value share=0.1,noise=0.5 --loss squared-error --keep last"],
        "label-smoothing": ["--label-smoothing 0.1", "--label-smoothing 0.1:others"],
        "mixup": ["--mixup 0.2"],
        "cutmix": [merged(CNN, "--cutmix 1")],
        "augment": ["--augment flip,crop=2,erase=0.5"],
        "dropout": ["--dropout 0.5", merged(CNN, "--dropout 0.3"), merged(SHORT, "--model lenet-bn --dropout 0.3")],
        "spatial-dropout": [merged(CNN, "--spatial-dropout 0.2")],
        "stochastic-depth": [merged(RESNET, "--stochastic-depth 0.5")],
        "batch-norm": ["--batch-norm on", merged(CNN, "--batch-norm on")],
        "weight-decay": [
            f"--optimizer {optimizer} --weight-decay 0.05 --decay-mode {mode} --decay {what}"
            for optimizer, mode in (("adam", "coupled"), ("adamw", "decoupled")) for what in ("weights", "all")
        ],
        "l1": ["--l1 1e-3", "--l1 1e-3 --decay all"],
        "max-norm": ["--max-norm 1", merged(CNN, "--max-norm 1")],
        "ema": ["--ema 0.9"],
        "swa": ["--epochs 3 --swa 2", merged(CNN, "--batch-norm on --swa 1")],
        "lookahead": ["--lookahead k=5,alpha=0.5"],
        "sam": ["--sam 0.05"],
        # Its rules are a family of their own; here it is only watched by.
        "early-stopping": ["--early-stopping patience=5"],
    }, by_name=False),
    Family("stopping", "early-stopping", OVERFITTING, {
        "patience": [
            "--early-stopping patience=2,warmup=1",
            "--early-stopping patience=4,min-delta=0.01,monitor=accuracy",
        ],
        "gl": ["--early-stopping gl=112"],
        "pq": ["--early-stopping pq=0.5,strip=2"],
        "up": ["--early-stopping up=2,strip=2"],
    }, by_name=False, status="stopped-early"),
    Family("keep", "keep", merged(OVERFITTING, "--epochs 12"), {
        "last-under": ["--keep last-under=1.0"],
    }),
    # The last batch of 150 images has 6 of 16; three batches make a step, and the last step has fewer.
    Family("last-batch", "last-batch", merged(MLP, "--accumulate 3 --batch-norm on"), {}),
    Recipes("recipes", "recipe", "--train-size 24 --valid-size 8 --batch-size 8 --epochs 1", {
        # ResNet-18, and a scale for CIFAR-10's three channels.
        "early-stopping": [
            "--recipe early-stopping --train-size 8 --valid-size 4 --batch-size 4 --normalization per-channel",
        ],
    }),
]

OTHERS = [
    Training("others/clip-norm", merged(MLP, "--clip-norm 0.5")),
    Training("others/accumulate", merged(MLP, "--accumulate 4")),
    Training("others/accumulate-sam-cutmix", merged(CNN, "--accumulate 3 --sam 0.05 --cutmix 1 --batch-norm on")),
    Training("others/checkpoints-inside-epochs", merged(MLP, "--checkpoint-every 3 --dropout 0.2")),
    Training("others/no-validation", merged(MLP, "--valid-size 0 --keep last")),
    Training("others/seed", merged(MLP, "--seed 2 --augment crop=2 --dropout 0.2")),
    Training("others/data-seed", merged(MLP, "--seed 2 --data-seed 1 --augment crop=2 --dropout 0.2")),
    Training("others/replicate", merged(MLP, "--replicate 1 --augment crop=2 --dropout 0.2 --mixup 0.2")),
    Training("others/label-noise", merged(MLP, "--label-noise 20 --class-weights balanced")),
    Training("others/label-noise-pairs", merged(MLP, "--label-noise 20:pairs --disturb-label 10")),
    Training("others/random-labels", merged(OVERFITTING, "--label-noise 100")),
    Training("others/shares", merged(MLP, "--train-size 12% --valid-size 3%")),
    Training("others/everything", EVERYTHING),
    Training("divergence/stop", merged(DIVERGING, "--learning-rate 0.3"), status="diverged"),
    Training(
        "divergence/rollback-to-the-beginning",
        merged(DIVERGING, "--learning-rate 1 --on-divergence rollback=8"),
    ),
    Training(
        "divergence/rollback-to-an-epoch",
        merged(
            DIVERGING,
            "--schedule one-cycle=warmup:0.9,start:0.0001 --initialization constant=0 --learning-rate 2"
            " --on-divergence rollback=8 --checkpoint-every 5",
        ),
    ),
    Training(
        "divergence/rollback-in-vain", merged(DIVERGING, "--learning-rate 1 --on-divergence rollback=2"),
        status="diverged",
    ),
]


def trainings(program):
    """Every training, and what has none."""
    found, missing = list(OTHERS), []
    for family in FAMILIES:
        some, without = family.trainings(program)
        found += some
        missing += without
    for row in program.known("train digits --on-divergence"):
        if row not in ("stop", "rollback"):
            missing.append(f"divergence: no training for the row `{row}`; give it one in catalogs.py")
    return found, missing
