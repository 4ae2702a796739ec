"""Suite and store to a plan: what is done, running, missing and failed, what it costs, and its jobs."""
