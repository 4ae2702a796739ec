"""Reports of suites: tables, plots, images and provenance, from the results folder alone. Imports no torch."""
