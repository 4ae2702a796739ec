"""The results folder: its folders, documents, leases and provenance."""
