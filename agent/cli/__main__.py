"""`python -m agent.cli`: as `tbox`, with the interpreter it is started by."""

import sys

from agent.cli import main

sys.exit(main())
