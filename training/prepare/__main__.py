"""Entry point: makes ``prepare`` importable, since ``training`` is not an installed package."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, so that its modules have one name only: prepare.<module>.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from prepare.cli import main

    sys.exit(main())
