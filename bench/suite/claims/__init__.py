"""The paper's sentences as inequalities between measurements: their language, their cases and their verdicts."""
