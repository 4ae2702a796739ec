"""What to run: suites, their expansion into specs, and the specs' identities. Imports no torch."""
