"""`python -m hrnn`."""

import sys

from hrnn.cli import main

sys.exit(main())
