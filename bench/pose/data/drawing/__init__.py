"""Drawing of the synthetic set: poses, bodies, outfits, figures and whole scenes."""
