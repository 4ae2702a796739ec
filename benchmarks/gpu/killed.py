"""A training that kills itself, or goes on where it was killed.

    python -m benchmarks.gpu.killed SETTING BACKBONE FILE STEPS

With STEPS it stores its state after that many steps and kills itself in the next one. With 0 it continues from FILE and
prints "resumed STEPS HASH".
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from bench.pose.training import Progress
from benchmarks.gpu.checks import Setting
from benchmarks.gpu.correct_training import save, short_training
from benchmarks.gpu.trainings import never, not_saved, prepare, state_hash


def main() -> None:
    setting, backbone, file = Setting.from_json(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    deadly, done = int(sys.argv[4]), 0
    prepare(setting)
    run = short_training(setting, backbone)

    def watch(_progress: Progress) -> bool:
        nonlocal done
        done += 1
        if done == deadly + 1:  # the state of the step before is on the disk
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    if deadly:
        # Only the last state is wanted, and those of large networks take seconds to write.
        run.run(watch, save=lambda: save(run, file) if done == deadly else None, save_every=0.0, workers=2)
        sys.exit("the training was to be killed")
    run.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    epoch, step = run.position
    taken = epoch * run.steps_per_epoch + step
    run.run(never, save=not_saved, workers=2)
    print("resumed", taken, state_hash(run.state_dict()))


if __name__ == "__main__":
    main()
