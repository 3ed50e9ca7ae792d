"""Trains once undisturbed; then again, killed at random points and resumed each time, until enough were killed.

A folder gets `whole/` and `broken_N/`, a run's folder each with `values.txt` beside it, and `kills.json`. Every attempt
is a fork of a process that has loaded Paddle, which saves loading it hundreds of times.
"""

import contextlib
import json
import os
import random
import select
import signal
import sys
import time
import traceback
from pathlib import Path

from helpers.forks import PATIENCE
from helpers.tiny_run import note_values, prepare, use_tiny
from ppcls.cli import main
from ppcls.engine import checkpoint
from ppcls.engine.ema import MovingAverage
from ppcls.engine.evaluator import Evaluator
from ppcls.engine.precision import Precision
from ppcls.utils import files


def die():
    """As if the machine had lost its power, but for what the disk has got."""
    os.kill(os.getpid(), signal.SIGKILL)


def torn_file(content, path, save=checkpoint._save):
    """Writes half of a file."""
    save(content, path)
    os.truncate(path, path.stat().st_size // 2)


def torn_text(self, text, **keywords):
    self.write_bytes(text[: len(text) // 2].encode())


def torn_removal(folder, **keywords):
    """Deletes one file of a folder, if an earlier kill has let it get one."""
    for path in sorted(Path(folder).iterdir())[:1]:
        path.unlink()


# Where an attempt may die: owner and name of a function, what is done in its place before, and in how many calls.
PLACES = {
    "before the gradients": (Precision, "backward", None, 16),
    "before the optimizer's step": (Precision, "step", None, 8),
    "before the moving average": (MovingAverage, "update", None, 8),
    "in an evaluation": (Evaluator, "_take", None, 12),
    "before a file": (checkpoint, "_save", None, 12),
    "within a file": (checkpoint, "_save", torn_file, 12),
    "between the files": (checkpoint, "sha256_of", None, 12),
    "within the states": (Path, "write_text", torn_text, 6),
    "before a link": (os, "link", None, 8),
    "while it is synced": (files, "sync_file", None, 24),
    "between the renamings": (Path, "rename", None, 10),
    "while an old one is deleted": (checkpoint, "_remove_files", torn_removal, 6),
}
CLOCK = "at any time"


def arm(place, calls):
    """Makes this process die in the given call."""
    owner, name, before, _ = PLACES[place]
    function, left = getattr(owner, name), iter(range(calls - 1))

    def dying(*arguments, **keywords):
        if next(left, None) is None:
            if before is not None:
                before(*arguments, **keywords)
            die()
        return function(*arguments, **keywords)

    setattr(owner, name, dying)


def attempt(folder, name, workers, place=None, calls=0, seconds=None):
    """A run, or what is left of it: `finished`, or `killed`."""
    out = folder / name
    out.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setpgid(0, 0)
            log = os.open(out / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1), os.dup2(log, 2)
            sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
            use_tiny(setattr)
            note_values(out / "values.txt", setattr)
            words = ["train", "-c", str(folder / f"config_{workers}.yaml"), "-o", f"Global.output_dir={out}"]
            words += ["-o", "Global.seed=8"]  # whose best evaluation is neither the first nor the last
            run = out / "SqueezeNet1_1"
            if any((run / one / checkpoint.STATES).is_file() for one in ("latest", ".latest.new", ".latest.old")):
                words += ["-o", f"Global.checkpoints={run}"]
            if place in PLACES:
                arm(place, calls)
            code = main(words)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(code)
    handle = os.pidfd_open(child)
    if not select.select([handle], [], [], seconds if place == CLOCK else PATIENCE)[0]:
        assert place == CLOCK, f"{name} hangs; see its log.txt"
        os.kill(child, signal.SIGKILL)
    os.close(handle)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)  # workers see by themselves that they are alone, but later
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return "killed"
    assert os.WEXITSTATUS(status) == 0, f"{name} failed:\n{(out / 'log.txt').read_text()[-3000:]}"
    return "finished"


def run(folder, wanted, workers, seed):
    """Kills until `wanted` are dead; the last run is brought to its end."""
    prepare(folder, workers)
    begin = time.monotonic()
    attempt(folder, "whole", workers)
    whole = time.monotonic() - begin
    draw, runs, kills, deck = random.Random(seed), 1, [], []
    while True:
        deck = deck or draw.sample([*PLACES, CLOCK], len(PLACES) + 1)  # each place gets its turn
        place = deck[-1] if len(kills) < wanted else None
        calls = draw.randint(1, PLACES[place][3]) if place in PLACES else 0
        outcome = attempt(folder, f"broken_{runs}", workers, place, calls, draw.uniform(0.0, 1.5 * whole))
        if outcome == "killed":
            kills.append([f"broken_{runs}", deck.pop(), calls])
        elif len(kills) >= wanted:
            break
        else:
            runs += 1
    report = {"kills": kills, "runs": runs, "seconds": time.monotonic() - begin}
    (folder / "kills.json").write_text(json.dumps(report))
