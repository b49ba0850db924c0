"""`python -m colorizer.cli`, as torchrun starts it."""

import sys

from colorizer.cli import main

sys.exit(main())
