"""The command line, as `python -m hrnn` runs it."""

import sys

from hrnn.cli import main

sys.exit(main())
