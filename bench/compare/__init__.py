"""Results beside one another: one cell in full, two cells, and a suite against its baseline."""
