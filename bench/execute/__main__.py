"""`python -m bench.execute JOB.json`: run one job from a file. Executors of extensions use it.

Output goes to the training's log. The exit status is the job's `JobOutcome`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.execute.job import Job
from bench.execute.runner import run_process
from bench.files import StoreError, load_document


def main() -> None:
    """Run the job in the file that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m bench.execute JOB.json")
    try:
        job = load_document(Path(sys.argv[1]), Job)
    except StoreError as error:
        sys.exit(f"error: {error}")
    if job is None:
        sys.exit(f"error: {sys.argv[1]}: no such file")
    run_process(job)


if __name__ == "__main__":
    main()
