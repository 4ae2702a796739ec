"""`python -m bench`."""

import os
import sys

# `python -m` puts the current folder first on the path. Only that of a checkout is meant.
if sys.path[0] == os.getcwd() != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
    del sys.path[0]

from bench.cli import main

main()
