"""The program under test: how it is started, and what it says of its catalogs."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

DONE, ERROR, USAGE, INTERRUPTED = 0, 1, 2, 130


class Wrong(Exception):
    """What the scripts end with: the program does not do what they are for."""


@dataclass(frozen=True)
class Outcome:
    """What came of starting the program once."""

    status: int
    stdout: str
    stderr: str

    def expect(self, status):
        if self.status != status:
            raise Wrong(f"exit status {self.status} instead of {status}: {self.stderr.strip()[-600:]}")
        return self


@dataclass(frozen=True)
class Program:
    """The program, and what its environment says beyond the usual."""

    path: Path
    environment: dict = field(default_factory=dict)

    def run(self, arguments, folder):
        """Runs it in a folder. `arguments`: a list, or text with spaces between them."""
        ended = subprocess.run(
            self._command(arguments), cwd=folder, env=self._environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )
        return Outcome(ended.returncode, ended.stdout, ended.stderr)

    def stop(self, arguments, folder, number, happened):
        """Starts it, sends it a signal once something has happened, and waits for its end."""
        process = subprocess.Popen(
            self._command(arguments), cwd=folder, env=self._environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        )
        try:
            while not happened():
                if process.poll() is not None:
                    raise Wrong(f"it ended before it could be stopped: {process.stderr.read()[-600:]}")
                time.sleep(0.002)
            process.send_signal(number)
            _, stderr = process.communicate()
        finally:
            process.kill()
        return Outcome(process.returncode, "", stderr)

    def known(self, arguments, folder="."):
        """The rows of a catalog, as the program names them when it is asked for one that does not exist."""
        said = self.run(f"{arguments} no-such-name", folder).stderr
        listed = re.search(r"(?:known:|expected) (.*?)(?:; |\n|$)", said)
        # `step=EPOCHS:FACTOR` is a row; `a mean and std for each channel` and `found `x`` are not.
        items = re.split(r", or | or |, ", listed[1]) if listed else []
        names = [re.split(r"[=\[]", item)[0] for item in items if " " not in item]
        if len(names) < 2:
            raise Wrong(f"no names in the answer to `{arguments} no-such-name`: {said.strip()}")
        return list(dict.fromkeys(names))

    def section(self, title, folder="."):
        """The rows of a table at the end of `train --help`."""
        text = self.run("train --help", folder).expect(DONE).stdout
        rows = []
        for part in re.split(r"\n\n", text):
            if part.strip().startswith(f"{title}:"):
                rows += re.findall(r"^  ([a-z][a-z0-9-]*) +[a-z]+: ", part, re.MULTILINE)
        if not rows:
            raise Wrong(f"`train --help` has no table `{title}`")
        return rows

    def _command(self, arguments):
        return [str(self.path), *(arguments.split() if isinstance(arguments, str) else arguments)]

    def _environment(self):
        foreign = ("BACKBURN_DATA", "CLICOLOR_FORCE", "RAYON_NUM_THREADS")
        usual = {name: value for name, value in os.environ.items() if name not in foreign}
        return usual | {"NO_COLOR": "1", "COLUMNS": "100"} | self.environment


def program(path):
    """The program at a path, from any folder."""
    found = Path(path).resolve()
    if not os.access(found, os.X_OK):
        raise Wrong(f"{path}: expected the program `backburn`; build it with `cargo build`")
    # Behind `&` or `nohup` signals are ignored, and what is ignored is handed down.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return Program(found)


def merged(*texts):
    """Flags with their values, of which a later one replaces an earlier one, and a model the sizes of another."""
    flags = {}
    for text in texts:
        words = text.split()
        later = dict(zip(words[::2], words[1::2], strict=True))
        if "--model" in later:
            flags = {flag: value for flag, value in flags.items() if flag not in ("--hidden", "--widths")}
        flags |= later
    return " ".join(f"{flag} {value}" for flag, value in flags.items())
