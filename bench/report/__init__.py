"""Reports of suites: tables, plots, photographs and provenance, from the results folder alone. Imports no torch."""
