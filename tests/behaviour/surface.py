#!/usr/bin/env python3
"""Writes down what people and scripts hold on to: verbs, flags, exit statuses, files, keys, columns, names.

    python3 tests/behaviour/surface.py target/debug/backburn --out before.txt
    python3 tests/behaviour/surface.py target/debug/backburn --out after.txt    # after a change
    diff before.txt after.txt

A line that is gone breaks somebody's script; a line that is added does not. With `--words` also what is said,
numbers aside.
"""

import argparse
import json
import re
import signal
import sys
import tempfile
import tomllib
from pathlib import Path

import files
import small_data
from program import DONE, Wrong, merged, program

TINY = (
    "mnist --data-dir data --train-size 64 --valid-size 32 --epochs 2 --model mlp --hidden 8 --batch-size 16"
    " --learning-rate 0.01 --augment crop=2 --dropout 0.2 --threads 1"
)
LONG = TINY.replace("--epochs 2", "--epochs 200")
LINEAR = (
    "mnist --data-dir data --train-size 96 --valid-size 20 --epochs 8 --model mlp --hidden none --batch-size 8"
    " --loss squared-error --keep last --optimizer sgd --schedule constant --weight-decay 0 --dropout 0 --threads 1"
)

# What is called in turn in one folder: what makes the folders below, what is asked of them, what is refused. Flags
# behind TINY and LINEAR replace theirs.
INVOCATIONS = """
--version
--help
train TINY --out finished --json
train TINY --optimizer sgd --weight-decay 0 --ema 0.9 --lookahead k=2,alpha=0.5 --early-stopping gl=0 --schedule plateau --out others
train TINY --model cnn --widths 4,6 --epochs 1 --batch-norm on --label-smoothing 0.1 --checkpoint-every 1 --out checkpoints
train TINY --label-noise 20 --data-seed 3 --replicate 1 --out noisy
train TINY --valid-size 0 --out without-validation
train LINEAR --learning-rate 0.3 --out diverged
train LINEAR --learning-rate 1 --on-divergence rollback=8 --out rolled-back
train --config finished/config.toml --out again
train --extend finished --epochs 3 --out extended
train --resume finished
train --resume diverged
train --resume nowhere
train --extend nowhere --epochs 3
train --extend finished --epochs 2
train --extend finished
find-rate TINY --steps 20 --out found --json
evaluate finished --json --temperature
evaluate finished --json --tta flip,shift=1
evaluate finished --json --mc-dropout 2
evaluate finished --split test --top-k 3 --json
evaluate noisy --json
evaluate finished
evaluate diverged --json
evaluate without-validation
evaluate nowhere
verify finished
verify noisy
verify diverged
verify rolled-back
verify nowhere
replay finished --json
replay finished others --criterion gl=5
replay without-validation
report finished
report finished others --out comparison.html
report nowhere
compare-regularizers --list
compare-regularizers mnist --data-dir data --model mlp --train-size 64 --epochs 1 --seeds 2 --only dropout --threads 1 --out compared --json
compare-regularizers mnist --data-dir data --only no-such-arm --out refused
search mnist --data-dir data --model mlp --train-size 64 --valid-size 32 --epochs 1 --vary learning-rate=log:1e-4:1e-1 --trials 2 --threads 1 --out searched --json
search mnist --data-dir data --vary no-such-setting=0:1 --out refused
experiment --list
experiment optimizer-paths --threads 1 --out experiment
experiment no-such-experiment
experiment
data list
data list --data-dir data
data verify digits
data verify mnist --data-dir data
data verify mnist --data-dir nowhere
data verify no-such-data
data preview digits --images 2 --epochs 2 --out preview.png
data fetch mnist --from nowhere --data-dir fetched
verify-kernels --models mlp --threads 1
verify-kernels --convolutions
verify-kernels --models no-such-model
bench --models mlp --batch-sizes 8 --seconds 0.01 --threads 1 --out bench.json --json
bench --models no-such-model
no-such-verb
help
help train
train
train digits --no-such-flag 1
train no-such-data --out refused
train mnist --data-dir nowhere --out refused
train TINY --out finished
train digits --model no-such-model
train digits --optimizer no-such-optimizer
train digits --schedule no-such-schedule
train digits --augment no-such-augmentation
train digits --initialization no-such-initialization
train digits --normalization no-such-normalization
train digits --last-batch no-such-choice
train digits --keep no-such-choice
train digits --early-stopping no-such-rule
train digits --loss no-such-loss
train digits --on-divergence no-such-choice
train digits --backend no-such-backend
train digits --stop-on no-such-signal
train digits --recipe no-such-recipe
train digits --config nowhere.toml
train digits --epochs 0
train digits --epochs many
train digits --batch-size 0
train digits --learning-rate 0
train digits --learning-rate nan
train digits --train-size 20000
train digits --threads 0
train digits --dropout 1
train digits --model mlp --widths 4
train digits --model cnn --hidden 4
train digits --mixup -1
train digits --loss squared-error
train digits --accumulate 0
train digits --checkpoint-every 0
train digits --seed -1
train --resume finished --extend finished
find-rate --resume finished
find-rate digits --steps 5
find-rate digits --from 1 --to 0.1
evaluate finished --split train
evaluate finished --tta no-such-view
evaluate finished --mc-dropout 1
evaluate finished --top-k 0
evaluate finished --tta flip --mc-dropout 2
replay finished --criterion no-such-rule
data preview digits --augment no-such-augmentation
"""

# Folders and files that the invocations leave, to be described.
LEFT = (
    "finished", "others", "noisy", "checkpoints", "without-validation", "diverged", "rolled-back", "extended", "interrupted",
    "found", "compared", "searched", "experiment", "bench.json", "comparison.html", "preview.png",
)


def verbs(tested, path=""):
    """Every verb that help names, and what it has."""
    text = tested.run(f"{path} --help", ".").expect(DONE).stdout
    yield path.strip(), text
    listed = re.search(r"^Commands:\n((?:  .*\n)+)", text, re.MULTILINE)
    for verb in re.findall(r"^  ([a-z-]+) ", listed[1], re.MULTILINE) if listed else []:
        if verb != "help":
            yield from verbs(tested, f"{path} {verb}")


def flags(text):
    """Arguments and flags of a help text, each with its value, default and possible values."""
    # An item begins with a flag or an argument, indented by two to six spaces; what it says is further in or beside it.
    start = re.compile(r"^ {2,6}((?:-\w, )?--[a-z0-9-]+(?: <[^>]+>)?|-\w\b|[<\[][A-Z|_]+[>\]](?:\.\.\.)?)(.*)$")
    name, said = None, []
    for line in [*text.splitlines(), "end"]:
        item = start.match(line)
        if item or line and not line.startswith(" "):
            if name:
                yield described(name, said)
            name, said = (item[1], [item[2]]) if item else (None, [])
        elif name:
            said.append(line)


def described(name, said):
    text = " ".join(line.strip() for line in said)
    default = re.search(r"\[default: ([^\]]+)\]", text)
    inline = re.search(r"\[possible values: ([^\]]+)\]", text)
    listed = [item[1] for line in said if (item := re.match(r" +- ([^ :]+)", line))]
    values = inline[1].split(", ") if inline else listed
    parts = [name]
    parts += [f"default {default[1]}"] if default else []
    parts += [f"one of {', '.join(values)}"] if values else []
    return "  ".join(parts)


def tables(text):
    """Rows of the tables at the end of a help text, such as models."""
    for part in text.split("\n\n"):
        title, *lines = part.splitlines() or [""]
        first = lines[0] if lines else ""
        # Names in a column, a sentence beside each.
        column = re.match(r"^  \S.*?(?: {2,}| (?=[a-z]))", first)
        if not title.endswith(":") or title == "Commands:" or not column or first.lstrip().startswith(("-", "<", "[")):
            continue
        ends = [at.end() for line in lines if (at := re.match(r"^  \S.*? {2,}", line))]
        widest = max(ends, default=column.end())
        for line in lines:
            if len(line) > widest and line[widest - 1] == " " and line[widest] != " " and line[2] != " ":
                yield f"{title[:-1]}  {line[2:widest].strip()}"


def keys(value, path=""):
    """The paths of a JSON or TOML value, each with its type."""
    if isinstance(value, dict):
        yield f"{path or '.'} object"
        for name, held in value.items():
            yield from keys(held, f"{path}.{name}")
    elif isinstance(value, list):
        yield f"{path or '.'} array"
        for held in value:
            yield from keys(held, f"{path}[]")
    else:
        kind = {bool: "boolean", int: "number", float: "number", type(None): "null"}.get(type(value), "string")
        yield f"{path} {kind}"


def safetensors(path):
    """Names, types and shapes of tensors, and the keys of what a checkpoint says besides."""
    metadata, table, _ = files.safetensors(path)
    for name, text in metadata.items():
        yield f"metadata {name}"
        if text.startswith("{"):
            yield from (f"metadata {name} {key}" for key in keys(json.loads(text)))
    for name, tensor in table.items():
        yield f"tensor {name} {tensor['dtype']} {tensor['shape']}"


def png_texts(path):
    """The names of the texts in a PNG."""
    for kind, part in files.png_chunks(path):
        if kind in (b"tEXt", b"iTXt", b"zTXt"):
            yield f"text {part.split(bytes(1))[0].decode('latin-1')}"


def content(path):
    """What is in a file, by its kind."""
    text = lambda: path.read_text()
    match path.suffix:
        case ".json":
            return keys(json.loads(text()))
        case ".jsonl":
            return (key for line in text().splitlines() for key in keys(json.loads(line)))
        case ".toml":
            return keys(tomllib.loads(text()))
        case ".csv":
            return (f"column {name}" for name in text().splitlines()[0].split(","))
        case ".safetensors":
            return safetensors(path)
        case ".svg":
            metadata = re.search(r"<metadata>(.*?)</metadata>", text(), re.DOTALL)
            names = re.findall(r"^(\w+): ", metadata[1], re.MULTILINE) if metadata else []
            return (f"metadata {name}" for name in names)
        case ".png":
            return png_texts(path)
        case _:
            return ()


def left(folder):
    """Every file that was left in a folder, and what is in it."""
    for name in LEFT:
        whole = folder / name
        if not whole.exists():
            yield f"missing  {name}"
            continue
        for path in [whole] if whole.is_file() else sorted(whole.rglob("*")):
            if path.is_file():
                at = path.relative_to(folder)
                yield f"file  {at}"
                # What a checkpoint holds depends on where in an epoch a signal came.
                if at.parts[:2] != ("interrupted", "checkpoints"):
                    yield from sorted({f"in  {at}  {line}" for line in content(path)})


def interrupted(tested, folder):
    """A run that is stopped, and what can be done with it."""
    for name, number in (("interrupted", signal.SIGINT), ("killed", signal.SIGKILL)):
        metrics = folder / name / "metrics.jsonl"
        is_under_way = lambda: metrics.exists() and metrics.read_text().count("\n") >= 2
        ended = tested.stop(f"train {LONG} --out {name}", folder, number, is_under_way)
        yield f"exit {ended.status}  train, {name}"
        last = "train --extend" if name == "interrupted" else "train --resume"
        for verb in ("verify", "evaluate", "report", "replay", last):
            yield f"exit {tested.run(f'{verb} {name}', folder).status}  {verb} {name}"


def arguments(line):
    """The words of an invocation."""
    for name, flags in (("TINY", TINY), ("LINEAR", LINEAR)):
        if name in line:
            verb, more = line.split(f" {name}")
            last = " --json" if more.endswith(" --json") else ""
            data, flags = flags.split(" ", 1)
            return f"{verb} {data} {merged(flags, more.removesuffix(' --json'))}{last}"
    return line


def carry_out(tested, folder, with_words):
    """The invocations, one after the other."""
    for line in INVOCATIONS.strip().splitlines():
        ended = tested.run(arguments(line), folder)
        yield f"exit {ended.status}  {line}"
        if "--json" in line and ended.status == DONE:
            yield from sorted({f"stdout  {line}  {key}" for key in keys(json.loads(ended.stdout))})
        if with_words and not line.endswith("--help"):
            for stream, said in (("stdout", ended.stdout), ("stderr", ended.stderr)):
                for words in [] if "--json" in line and stream == "stdout" else said.splitlines():
                    yield f"{stream}  {line}  {without_numbers(words.replace(str(folder), ''))}".rstrip()


def without_numbers(text):
    return re.sub(r" +", " ", re.sub(r"[0-9a-f]{40,}|\d[\d.,:]*(?:e-?\d+)?", "#", text))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the program, such as target/debug/backburn")
    parser.add_argument("--out", type=Path, help="file to write; stdout if not given")
    parser.add_argument("--words", action="store_true", help="also what help and the invocations say, numbers aside")
    options = parser.parse_args()

    tested = program(options.program)
    lines = []
    for verb, text in verbs(tested):
        lines += [f"verb  {verb}"] if verb else []
        lines += sorted(f"flag  {verb}  {flag}".replace("    ", "  ") for flag in flags(text))
        lines += sorted(f"table  {verb}  {row}" for row in tables(text))
        lines += [f"help  {verb}  {line}".rstrip() for line in text.splitlines()] if options.words else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        small_data.draw_mnist(folder / "data")
        lines += carry_out(tested, folder, options.words)
        lines += interrupted(tested, folder)
        lines += left(folder)
    text = "\n".join(lines) + "\n"
    if options.out:
        options.out.write_text(text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Wrong as error:
        sys.exit(f"error: {error}")
