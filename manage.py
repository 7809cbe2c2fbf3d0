#!/usr/bin/env python
"""Django's command line for the task service. `--home FOLDER`, before the rest or after, is AIMOVIE_HOME."""

import os
import sys
from argparse import ArgumentParser

if __name__ == "__main__":
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--home")
    options, rest = parser.parse_known_args()
    if options.home:
        os.environ["AIMOVIE_HOME"] = options.home
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aimovie.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line([sys.argv[0], *rest])
