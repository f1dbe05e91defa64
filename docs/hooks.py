"""What the site needs beyond mkdocs: pages that lie outside docs/, and links that leave it.

Pages are written with links that work in the repository. Here, links to files that the site has
too lead there; any other becomes a link into the repository if mkdocs.yml names one as
``repo_url``, and else the text of the link with the path in brackets. Two things that GitHub and
Python-Markdown read differently are put as the latter wants them.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

# Files outside docs/, and where the site has them.
OUTSIDE = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security-policy.md",
    "semantic_router_lora/benchmark/suites/README.md": "project/suites/README.md",
    "training/README.md": "project/training/README.md",
    "training/data/README.md": "project/training/data/README.md",
    "training/filters/README.md": "project/training/filters/README.md",
    "training/prepare/README.md": "project/training/prepare/README.md",
}
_BUNDLED = "semantic_router_lora/adapters/bundled"

# Code comes first, because what stands in it is no link.
_CODE_OR_LINK = re.compile(
    r"^ *(?P<fence>```+).*?^ *(?P=fence)|``.+?``|`[^`]+`"
    r"|(?P<text>!?\[(?:[^\[\]]|\[[^\]]*\])*\])\((?P<target>[^()\s]+)\)",
    re.S | re.M,
)

_ITEM = re.compile(r"(?:[-*]|\d\.) (?=\S)")


def outside_pages(root: Path = ROOT) -> dict[str, str]:
    """Repository paths of the pages and pictures outside docs/, and where the site has them."""
    found = {path: uri for path, uri in OUTSIDE.items() if (root / path).is_file()}
    for file in sorted(root.glob(f"{_BUNDLED}/*/*")):
        if file.name == "README.md" or file.suffix == ".png":
            found[file.relative_to(root).as_posix()] = f"adapters/{file.parent.name}/{file.name}"
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/."""
    from mkdocs.structure.files import File

    for path, uri in outside_pages().items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links of the repository into links of the site, and GitHub's Markdown into mkdocs'."""
    published = {f"docs/{file.src_uri}": file.src_uri for file in files if not file.generated_by}
    published |= outside_pages()
    published["README.md"] = "index.md"
    sources = {uri: path for path, uri in published.items() if path != "README.md"}
    uri = page.file.src_uri
    return indented(relinked(markdown, sources[uri], uri, published, config.repo_url))


def relinked(
    markdown: str, source: str, uri: str, published: dict[str, str], repo_url: str | None
) -> str:
    """A page's Markdown with the links of the site.

    Args:
        markdown: of the page.
        source: repository path of the page.
        uri: where the site has the page.
        published: repository path of everything that the site has, and where it has it.
        repo_url: address of the repository, or None.
    """

    def relink(match: re.Match[str]) -> str:
        text, target = match["text"], match["target"]
        if text is None:  # in code, Python-Markdown wants no backslash before the pipe of a cell
            return match[0] if match["fence"] else match[0].replace("\\|", "|")
        if "://" in target or target.startswith(("#", "mailto:")):
            return match[0]
        path, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if path in published:
            found = posixpath.relpath(published[path], posixpath.dirname(uri) or ".")
            return f"{text}({found}#{anchor})" if anchor else f"{text}({found})"
        if repo_url:
            kind = "tree" if (ROOT / path).is_dir() else "blob"
            return f"{text}({repo_url.rstrip('/')}/{kind}/HEAD/{path})"
        shown = text[1:-1]
        return f"`{path}`" if shown == path else f"{shown} (`{path}`)"

    return _CODE_OR_LINK.sub(relink, markdown)


def indented(markdown: str) -> str:
    """What belongs to an item of a list, moved from under the item's text to column four."""
    lines = []
    width = 0
    for line in markdown.splitlines():
        if item := _ITEM.match(line):
            width = len(item[0])
        elif line and not line.startswith(" "):
            width = 0
        elif width and line.startswith(" " * width):
            line = " " * (4 - width) + line
        lines.append(line)
    return "\n".join(lines) + "\n"
