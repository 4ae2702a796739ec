"""What stands in for CUDA graphs where there is no GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class RunAgain:
    """Records nothing: a replay runs the work again, on the inputs that it was recorded with.

    Attributes:
        warm_ups: steps that were run themselves.
        recordings: steps that were recorded.
        replays: steps that were replayed.
    """

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        """`dtype` is that of the loss."""
        self._dtype = dtype
        self.warm_ups = self.recordings = self.replays = 0

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        """Do the work."""
        self.warm_ups += 1
        return work()

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        """What runs the work again, into the tensor that is its result."""
        self.recordings += 1
        result = torch.zeros((), dtype=self._dtype)

        def replay() -> None:
            self.replays += 1
            result.copy_(work())

        return replay, result

    def random_states(self) -> Sequence[Tensor]:
        """The state of the CPU's generator."""
        return (torch.get_rng_state(),)
