"""How planned work is run: jobs, the runner that does one, and executors that run many."""
