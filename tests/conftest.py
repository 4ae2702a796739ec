"""Settings of every test: one thread per process, as pytest-xdist runs a process per core."""

import torch

torch.set_num_threads(1)
