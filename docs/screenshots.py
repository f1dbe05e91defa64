"""Take the pictures of the HTML report that docs/benchmark.md shows.

Needs Chromium (on Debian: ``apt install chromium``) and the extra ``benchmark``:

    python docs/screenshots.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent
RESULTS = [DOCS / "results" / name for name in ("bundled-L6.json", "replay-L6.json")]
# Each picture: style added to the page, and width and height of the window.
SHOTS = {
    "report-top": ("", "1180,1230"),
    "report-tables": ("h1, figure { display: none } body { max-width: 78rem }", "1280,900"),
}
COLOURS = 256
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--blink-settings=preferredColorScheme=1",  # light
)


def main() -> None:
    """Make the report, and photograph it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no chromium or google-chrome on the path")
    with tempfile.TemporaryDirectory() as folder:
        made = [sys.executable, "-m", "semantic_router_lora", "benchmark", "report"]
        subprocess.run([*made, *map(str, RESULTS), "--output", folder], check=True)
        page = (Path(folder) / "report.html").read_text(encoding="utf-8")
        for name, (style, size) in SHOTS.items():
            shown = Path(folder) / f"{name}.html"
            shown.write_text(page.replace("</style>", f"{style}</style>"), encoding="utf-8")
            picture = DOCS / "images" / f"{name}.png"
            picture.parent.mkdir(exist_ok=True)
            options = (f"--user-data-dir={folder}/profile", f"--window-size={size}")
            subprocess.run(
                [browser, *FLAGS, *options, f"--screenshot={picture}", shown.as_uri()],
                stderr=subprocess.DEVNULL,
                check=True,
            )
            Image.open(picture).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(
                picture, optimize=True
            )


if __name__ == "__main__":
    main()
