"""The results folder: its layout, its documents, leases and provenance."""
