"""How sure a number is: intervals, resampling, equivalence and power. Plain NumPy and SciPy; knows no store."""
