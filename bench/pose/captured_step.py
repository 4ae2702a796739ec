"""A training step that a GPU records once and replays (CUDA graphs).

A step launches thousands of kernels. On small inputs launching them one by one takes longer than they run; a replay
launches them all at once. A replay runs the recorded kernels on the memory that they were recorded with, so inputs are
copied there, and everything else that changes from step to step must lie on the device.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

__all__ = ["Capture", "CapturedStep", "CudaGraphs"]

WARM_UPS, PROOFS = 3, 2
"""Steps before one is recorded, as libraries choose algorithms and make room, and replays that are compared."""


class Capture(Protocol):
    """A way to record work and to replay it."""

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        """Do the work where it will be recorded; returns its result."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        """Record the work without doing it; returns what replays it, and the result, which each replay overwrites.

        Raises:
            RuntimeError: the work cannot be recorded.
        """

    def random_states(self) -> Sequence[Tensor]:
        """States of the random generators that the work might use."""


class CudaGraphs:
    """Records the work of an NVIDIA GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        """Do the work on a stream of its own, in turn with what the current one does."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            result = work()
        current.wait_stream(self._stream)
        return result

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        """Record the work; meanwhile other threads, such as the one that pins batches, may use the GPU."""
        graph = torch.cuda.CUDAGraph()
        # torch forgets to leave its stream where a recording fails
        with (
            torch.cuda.stream(torch.cuda.current_stream(self._device)),
            torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
        ):
            result = work()
        return graph.replay, result

    def random_states(self) -> Sequence[Tensor]:
        """Those of the GPU and of the CPU."""
        return torch.cuda.get_rng_state(self._device), torch.get_rng_state()


class CapturedStep:
    """A step that is run, then recorded, then replayed. Replays change no bit, or none is used.

    The first replays are compared with the step itself: the loss and everything that the step changes. If a bit
    differs, if the step cannot be recorded, or if it draws random numbers, a warning says so, and every step is run.

    Args:
        compute: the step. Its arguments are nested tensors on the device, its result is the loss; it may depend on
            nothing else that changes between steps, unless that lies on the device.
        capture: records and replays.
        changed: gives all tensors that the step changes, once it was run.
    """

    def __init__(
        self, compute: Callable[..., Tensor], capture: Capture, changed: Callable[[], Iterable[Tensor]]
    ) -> None:
        self._compute, self._capture, self._changed = compute, capture, changed
        self._refused = False
        self.reset()

    def reset(self) -> None:
        """Record anew: the tensors that the step changes are other ones now."""
        self._steps = 0
        self._form: object = None
        self._inputs: list[Tensor] = []
        self._replay: Callable[[], object] | None = None
        self._result: Tensor | None = None

    @property
    def replays(self) -> bool:
        """Whether steps are replayed from now on."""
        return self._replay is not None and self._steps >= WARM_UPS + PROOFS

    def __call__(self, *inputs: Any) -> Tensor:
        """Do the step; returns the loss. Inputs of another form than the first ones are computed as they are."""
        leaves, structure = tree_flatten(inputs)
        form = _form(leaves)
        self._form = self._form or (structure, form)
        if self._refused or form is None or self._form != (structure, form):
            return self._compute(*inputs)
        self._steps += 1
        if self._steps <= WARM_UPS:
            return self._warm_up(inputs)
        if self._replay is None:
            self._record(leaves, structure)
        if self._steps <= WARM_UPS + PROOFS:
            return self._prove(inputs, leaves)
        return self._replayed(leaves)

    def _warm_up(self, inputs: Any) -> Tensor:
        before = self._capture.random_states()
        result = self._capture.warm_up(lambda: self._compute(*inputs))
        if not _equal(before, self._capture.random_states()):
            self._refuse("the step draws random numbers")
        return result

    def _record(self, leaves: Sequence[Tensor], structure: Any) -> None:
        self._inputs = [leaf.clone() for leaf in leaves]
        inputs = tree_unflatten(self._inputs, structure)
        try:
            self._replay, self._result = self._capture.record(lambda: self._compute(*inputs))
        except RuntimeError as error:
            self._refuse(f"the step cannot be recorded: {error}".splitlines()[0])

    def _prove(self, inputs: Any, leaves: Sequence[Tensor]) -> Tensor:
        """Do the step and, from the same state, its replay; the step counts."""
        before = [tensor.clone() for tensor in self._changed()]
        result = self._capture.warm_up(lambda: self._compute(*inputs))
        if self._replay is None:
            return result
        after = [tensor.clone() for tensor in self._changed()]
        self._restore(before)
        replayed = self._replayed(leaves)
        if not _equal([replayed, *self._changed()], [result, *after]):
            self._refuse("a replay gives other bits than the step")
            self._restore(after)
        return result

    def _replayed(self, leaves: Sequence[Tensor]) -> Tensor:
        assert self._replay is not None
        assert self._result is not None
        for place, leaf in zip(self._inputs, leaves, strict=True):
            place.copy_(leaf)
        self._replay()
        return self._result.clone()

    def _restore(self, values: Iterable[Tensor]) -> None:
        with torch.no_grad():
            for tensor, value in zip(self._changed(), values, strict=True):
                tensor.copy_(value)

    def _refuse(self, reason: str) -> None:
        warnings.warn(f"CUDA graphs are not used, which changes no result: {reason}", stacklevel=2)
        self.reset()
        self._refused = True


def _form(leaves: Sequence[Any]) -> list[Any] | None:
    """What a recorded step depends on; None if there is something else than tensors."""
    if not all(isinstance(leaf, Tensor) for leaf in leaves):
        return None
    return [(leaf.shape, leaf.stride(), leaf.dtype, leaf.device) for leaf in leaves]


def _equal(some: Iterable[Tensor], others: Iterable[Tensor]) -> bool:
    """Whether tensors have the same bits, those that are not numbers included."""
    return all(torch.equal(*map(_bits, pair)) for pair in zip(some, others, strict=True))


def _bits(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().flatten().view(torch.uint8)
