#!/usr/bin/env python3
"""Trains every row of every catalog for a moment, and writes down what came of it, as SHA-256.

    python3 tests/behaviour/fingerprint.py target/debug/backburn --out before.txt
    python3 tests/behaviour/fingerprint.py target/debug/backburn --out after.txt    # after a change
    diff before.txt after.txt

Exit status 0, or 1 if a run did not do what it is for or a row of a catalog has none.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import catalogs
import experiments_equal
import small_data
from catalogs import CNN, DIVERGING, EVERYTHING, MLP, Training
from files import digest, drawing, pixels, tensors, without_times
from program import DONE, ERROR, INTERRUPTED, Wrong, merged, program

# What a manifest tells of a run beside its times, its machine and its program.
MANIFEST = (
    "model", "backend", "dataset", "train_images", "seed", "data_seed", "replicate", "label_noise", "status",
    "test_reads", "rollbacks", "extends",
)
# What another process that does the same must leave the same.
REPEATED = ("model.safetensors", "metrics.jsonl", "losses.csv", "diverged.csv", "evaluation.json", "summary.json")

DRAWN = {
    "mnist": small_data.draw_mnist,
    "fashion-mnist": small_data.draw_mnist,
    "cifar10": small_data.draw_cifar10,
    "digits": None,
}
# A GPU's sums come in another order each time.
CPU_BACKENDS = ("flex", "ndarray")


@dataclass(frozen=True)
class Place:
    """A folder of its own for one job, beside the data that all share."""

    folder: Path
    program: object
    threads: int

    def run(self, arguments):
        return self.program.run(arguments, self.folder)

    def arguments(self, training, out):
        """The command line of a training."""
        name, _, source = training.data.partition(":")
        words = ["train", name, *training.flags.split(), "--threads", str(self.threads), "--out", out]
        if DRAWN.get(name) and source != "published":
            words += ["--data-dir", str(self.folder.parent / "data" / name)]
        return words

    def train(self, training, out="run"):
        """Trains, checks that it ended as it should, and gives the fingerprint of the run folder."""
        ended = self.run(self.arguments(training, out))
        ended.expect(ERROR if training.status == "diverged" else DONE)
        found = dict(self.fingerprint(out))
        if found["status"] != training.status:
            raise Wrong(f"the run is {found['status']}, not {training.status}")
        return found

    def json(self, text):
        """JSON without times, and with paths that do not depend on the folder."""
        return json.dumps(without_times(json.loads(self.plain(text))), sort_keys=True)

    def plain(self, text):
        return text.replace(str(self.folder.parent), "")

    def fingerprint(self, out):
        """What a run folder holds, file by file."""
        folder = self.folder / out
        text = lambda name: (folder / name).read_text()
        yield "config.toml", digest(self.plain(text("config.toml")))
        manifest = json.loads(self.json(text("manifest.json")))
        yield "manifest.json", digest(json.dumps({name: manifest.get(name) for name in MANIFEST}, sort_keys=True))
        yield "status", manifest["status"]
        if (folder / "metrics.jsonl").exists():
            rows = [self.json(line) for line in text("metrics.jsonl").splitlines()]
            yield "metrics.jsonl", digest("\n".join(rows))
            last = json.loads(rows[-1])
            # As numbers too, so that a difference shows its size.
            yield "last epoch", f"{last['epoch']}: {last['train_objective']!r} {last.get('valid_loss')!r}"
        for name in ("losses.csv", "diverged.csv", "model.safetensors"):
            if (folder / name).exists():
                yield name, digest((folder / name).read_bytes())
        for name in ("summary.json", "evaluation.json", "normalization.json"):
            if (folder / name).exists():
                yield name, digest(self.json(text(name)))
        for path in sorted((folder / "checkpoints").glob("*.safetensors")):
            yield f"checkpoints/{path.name}", digest(tensors(path))


def expect_repeated(found, whole, what):
    unlike = [name for name in REPEATED if found.get(name) != whole.get(name)]
    if unlike:
        raise Wrong(f"{what} differs from the run that was not stopped: {', '.join(unlike)}")


def stopped(number, flags):
    """A run that a signal ends in its midst, resumed: equal to one that was not stopped."""

    def work(place):
        training = Training("", flags)
        whole = place.train(training, "whole")
        metrics = place.folder / "run" / "metrics.jsonl"
        is_under_way = lambda: metrics.exists() and metrics.read_text().count("\n") >= 2
        ended = place.program.stop(place.arguments(training, "run"), place.folder, number, is_under_way)
        ended.expect(-signal.SIGKILL if number == signal.SIGKILL else INTERRUPTED)
        status = json.loads((place.folder / "run" / "manifest.json").read_text())["status"]
        yield "status before", status
        place.run("verify run").expect(DONE)
        place.run(["train", "--resume", "run", "--threads", str(place.threads)]).expect(DONE)
        found = dict(place.fingerprint("run"))
        expect_repeated(found, whole, "the resumed run")
        place.run("verify run").expect(DONE)
        # Where it was stopped is never the same place.
        yield from ((name, value) for name, value in found.items() if name in (*REPEATED, "status", "config.toml"))

    return work


def extended(place):
    """More epochs for a finished run: equal to one that had them from its beginning."""
    flags = merged(MLP, "--schedule step=2:0.5 --dropout 0.2 --ema 0.9 --augment crop=2")
    whole = place.train(Training("", merged(flags, "--epochs 5")), "whole")
    place.train(Training("", flags), "short")
    place.run(f"train --extend short --epochs 5 --threads {place.threads} --out run").expect(DONE)
    found = dict(place.fingerprint("run"))
    expect_repeated(found, whole, "the extended run")
    yield from found.items()
    other = "--epochs 4 --schedule constant --learning-rate 0.002"
    place.run(f"train --extend short {other} --threads {place.threads} --out flat").expect(DONE)
    for name, value in place.fingerprint("flat"):
        yield f"flat {name}", value


def evaluated(place):
    """Scores of every kind, what stopping rules would have chosen, and the figures."""
    # Not so far that no image is mistaken, or no temperature would be the best.
    place.train(Training("", merged(CNN, "--dropout 0.3 --spatial-dropout 0.1 --learning-rate 0.003")))
    kinds = ("", "--temperature", "--tta flip,shift=1", "--mc-dropout 5", "--top-k 3")
    for flags in (*kinds, "--split test --temperature"):
        ended = place.run(f"evaluate run {flags} --json --threads {place.threads}").expect(DONE)
        yield f"evaluate {flags}".strip(), digest(place.json(ended.stdout))
    yield "replay", digest(place.json(place.run("replay run --json").expect(DONE).stdout))
    place.run("report run").expect(DONE)
    for path in sorted((place.folder / "run" / "figures").iterdir()):
        yield path.name, digest(drawing(path) if path.suffix == ".svg" else pixels(path))


def rate_found(place):
    """The range test of the learning rate."""
    words = place.arguments(Training("", MLP), "run")
    words[0] = "find-rate"
    place.run([*words, "--steps", "40"]).expect(DONE)
    record = json.loads(place.json((place.folder / "run" / "find-rate.json").read_text()))
    for name in ("rates", "losses", "smoothed", "suggestions", "recommended", "end", "recipe"):
        yield name, digest(json.dumps(record[name], sort_keys=True))


def compared(place):
    """Every arm of a comparison in a network that it goes with, one seed, and what is made of them."""
    listed = place.run("compare-regularizers --list").expect(DONE).stdout
    arms = {line for line in listed.splitlines() if not line.startswith(" ")}
    others = (("cnn", "--only spatial-dropout,batch-norm"), ("resnet20", "--only stochastic-depth"))
    for model, only in (("mlp", ""), *others):
        # Six steps, since Lookahead looks after five.
        place.run(
            f"compare-regularizers mnist --data-dir {place.folder.parent}/data/mnist --model {model} --train-size 96"
            f" --epochs 3 --seeds 1 --threads {place.threads} --out {model} {only}"
        ).expect(DONE)
        for run in sorted((place.folder / model).glob("*/seed-1")):
            arms.discard(run.parent.name)
            for name, value in place.fingerprint(run.relative_to(place.folder)):
                if name in ("model.safetensors", "metrics.jsonl", "config.toml"):
                    yield f"{model}/{run.parent.name} {name}", value
        comparison = json.loads(place.json((place.folder / model / "comparison.json").read_text()))
        yield f"{model} arms", digest(json.dumps(comparison["arms"], sort_keys=True))
        yield f"{model} comparison.svg", digest(drawing(place.folder / model / "comparison.svg"))
    if arms:
        raise Wrong(f"no network here goes with the arms {', '.join(sorted(arms))}; add one")


def previewed(place):
    """What augmented images look like."""
    for row in place.program.known("train digits --augment"):
        colour = row in ("saturation", "colour")
        data = f"cifar10 --data-dir {place.folder.parent}/data/cifar10" if colour else "digits"
        place.run(f"data preview {data} --augment {row} --images 2 --epochs 2 --out {row}.png").expect(DONE)
        yield row, digest(pixels(place.folder / f"{row}.png"))


def experimented(name):
    """An experiment that needs no data: what it measured, told and drew."""

    def work(place):
        place.run(f"experiment {name} --threads {place.threads} --out {name}").expect(DONE)
        held = experiments_equal.result(place.folder, name, with_words=True)
        yield "result.json", digest(json.dumps(held, sort_keys=True))
        yield from experiments_equal.other_files(place.folder, name, with_words=True).items()

    return work


SCENARIOS: dict[str, Callable] = {
    # A checkpoint every few steps, so that it is stopped inside an epoch.
    "resumed/killed": stopped(
        signal.SIGKILL,
        merged(
            MLP,
            "--epochs 40 --batch-size 4 --accumulate 2 --checkpoint-every 3 --dropout 0.2 --augment crop=2"
            " --batch-norm on",
        ),
    ),
    "resumed/killed-everything": stopped(
        signal.SIGKILL, merged(EVERYTHING, "--checkpoint-every 1 --epochs 8")
    ),
    "resumed/killed-rollback": stopped(
        signal.SIGKILL,
        merged(DIVERGING, "--learning-rate 1 --on-divergence rollback=8 --epochs 40 --checkpoint-every 2"),
    ),
    "resumed/interrupted": stopped(
        signal.SIGINT,
        merged(MLP, "--epochs 40 --batch-size 4 --early-stopping gl=1000 --schedule cosine --ema 0.9"),
    ),
    "extended": extended,
    "evaluated": evaluated,
    "find-rate": rate_found,
    "compare-regularizers": compared,
    "preview": previewed,
    "experiments/optimizer-paths": experimented("optimizer-paths"),
    "experiments/weight-init": experimented("weight-init"),
}


def training_job(training):
    return lambda place: place.train(training).items()


def data_jobs(tested, data_dir):
    """A training on each data set: drawn in its format, and the published files where they are."""
    jobs, missing = {}, []
    where = replace(tested, environment={"BACKBURN_DATA": data_dir} if data_dir else {})
    listed = where.run("data list", ".").expect(DONE).stdout
    for name in tested.known("train"):
        if name in DRAWN:
            jobs[f"data/{name}"] = training_job(Training("", MLP, name))
        else:
            missing.append(f"data: no files are drawn in the format of `{name}`; do so in small_data.py")
        line = next((line for line in listed.splitlines() if line.split()[0] == name), "")
        if data_dir and "not here" not in line and "drawn by the program" not in line:
            jobs[f"data/{name}-published"] = training_job(Training("", MLP, f"{name}:published"))
    return jobs, missing, where


def backend_jobs(tested):
    """A training on each backend that the program has and that repeats itself."""
    jobs, notes = {}, []
    for name in tested.known("train digits --backend"):
        # More images than there are, so that nothing is trained.
        refused = tested.run(f"train digits --backend {name} --train-size 1000000", ".").stderr
        if "built without the backend" in refused:
            notes.append(f"backend {name}: not built in")
        elif name not in CPU_BACKENDS:
            notes.append(f"backend {name}: not compared, as its sums differ from run to run")
        else:
            for model, flags in (("mlp", MLP), ("cnn", CNN), ("resnet20", catalogs.RESNET)):
                jobs[f"backends/{name}-{model}"] = training_job(Training("", merged(flags, f"--backend {name}")))
    return jobs, notes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the program, such as target/debug/backburn")
    parser.add_argument("--out", type=Path, help="file to write; stdout if not given")
    parser.add_argument("--threads", type=int, default=1, help="threads of each run; no result depends on it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument("--only", default="", help="only runs whose name contains this")
    options = parser.parse_args()

    tested = program(options.program)
    trainings, missing = catalogs.trainings(tested)
    data_dir = os.environ.get("BACKBURN_DATA", "")
    published, without, with_data = data_jobs(tested, os.path.abspath(data_dir) if data_dir else "")
    backends, notes = backend_jobs(tested)
    missing += without
    if not data_dir:
        notes.append("published data sets: skipped, as $BACKBURN_DATA is not set")
    # The longest first: scenarios, then networks by their size.
    jobs = SCENARIOS | published | backends
    trainings.sort(key=lambda training: "resnet" not in training.flags)
    jobs |= {training.name: training_job(training) for training in trainings}
    jobs = {name: work for name, work in jobs.items() if options.only in name}

    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        for data, draw in DRAWN.items():
            if draw:
                draw(root / "data" / data)

        def carry_out(job):
            name, work = job
            started = with_data if "published" in name else tested
            place = Place(root / name.replace("/", "--"), started, options.threads)
            place.folder.mkdir()
            try:
                return name, sorted(work(place)), ""
            except Wrong as error:
                return name, [], str(error)
            except Exception:
                return name, [], traceback.format_exc()
            finally:
                shutil.rmtree(place.folder, ignore_errors=True)

        with ThreadPoolExecutor(options.jobs) as pool:
            done = sorted(pool.map(carry_out, jobs.items()))

    wrong = [f"{name}: {error}" for name, _, error in done if error] + missing
    lines = [f"# {note}" for note in sorted(notes)]
    for name, found, error in done:
        lines += [f"{name}  WRONG"] if error else [f"{name}  {what}  {value}" for what, value in found]
    text = "\n".join(lines) + "\n"
    if options.out:
        options.out.write_text(text)
    else:
        print(text, end="")
    for line in [*sorted(notes), *wrong]:
        print(line, file=sys.stderr)
    print(f"{len(done)} runs, {len(wrong)} wrong", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
