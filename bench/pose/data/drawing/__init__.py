"""Drawing of the synthetic set: poses, the figures that take them, and scenes of figures."""
