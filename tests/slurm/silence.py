"""A view that shows nothing."""

from bench.execute.job import Job, JobOutcome
from bench.store.documents import JobProgress


class SilentView:
    """Hears and says nothing."""

    def wait(self, job: Job, holder: str) -> None: ...

    def start(self, job: Job, number: int, total: int) -> None: ...

    def beat(self, job: Job, job_progress: JobProgress) -> None: ...

    def warn(self, job: Job, message: str) -> None: ...

    def finish(self, job: Job, outcome: JobOutcome, reason: str) -> None: ...
