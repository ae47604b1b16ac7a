"""``python -m neuralstat``: the command line."""

import sys

from neuralstat.cli import main

sys.exit(main())
