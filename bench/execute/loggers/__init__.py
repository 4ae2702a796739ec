"""The built-in loggers, one file each. Importing this package adds them; their packages are imported when used."""

from bench.execute.loggers import mlflow, tensorboard, wandb

__all__ = ["mlflow", "tensorboard", "wandb"]
