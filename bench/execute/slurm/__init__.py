"""Running planned work on a SLURM cluster: what a job asks for, how it is handed in and how it is followed."""
