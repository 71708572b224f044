"""`python -m tradenb`: the command line."""

import sys

from tradenb.cli import main

sys.exit(main())
