"""The executor `one_by_one`: each job in a process of its own, told by a file, as another machine could be."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from bench.extend import executor, safe_children

if TYPE_CHECKING:
    from bench.planning.executors import RunRequest


@executor("one_by_one", profile="none")
def one_by_one(request: RunRequest) -> int:
    """Write each job down and have `python -m bench.execute` do it; 1 if one failed."""
    if request.dry_run:
        return 0
    folder = request.results / "jobs"
    failed = False
    for job in request.jobs():
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{job.id}.json"
        file.write_text(job.model_dump_json(), encoding="utf-8")
        print(job.title, flush=True)
        with safe_children():  # the job runs this bench, whatever stands in the current folder
            failed |= subprocess.run([sys.executable, "-m", "bench.execute", file], check=False).returncode != 0
    return 1 if failed else 0
