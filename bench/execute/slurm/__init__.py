"""Running jobs on a SLURM cluster: profiles, submissions, and what the scheduler knows."""
