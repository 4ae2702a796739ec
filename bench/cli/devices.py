"""Names of devices on the command line, and whether this machine has them."""

from __future__ import annotations

import re

import typer

from bench.pose.errors import BenchError

VALID = "cpu, cuda, cuda:N, mps, auto"


def parse_device(text: str) -> str:
    """The name of a device as torch spells it, or auto; a number is that of a CUDA GPU.

    Raises:
        typer.BadParameter: it names no kind of device; the message lists the valid names.
    """
    name = text.strip().lower()
    if number := re.fullmatch(r"(?:cuda:)?([0-9]{1,4})", name):
        return f"cuda:{int(number[1])}"
    if name in {"cpu", "cuda", "mps", "auto"}:
        return name
    raise typer.BadParameter(f"{text!r:.80} is not a device; valid: {VALID}")


def require_device(name: str) -> None:
    """Raise `BenchError` if this machine lacks a device that was asked for by name; the message lists what it has."""
    if name in {"auto", "cpu"}:
        return
    import torch

    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    found = ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]
    if name not in found and not (name == "cuda" and gpus):
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
        raise BenchError(
            f"--device {name}: not on this machine, which has {', '.join(found)} (torch {torch.__version__}, built"
            f" with {built})"
        )
