"""`python -m adaclip.cli`."""

import sys

from adaclip.cli import main

sys.exit(main())
