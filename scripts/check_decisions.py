"""Fail when the decisions are not numbered one by one, each once, or docs/decisions/README.md does not list them so."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "decisions"
NAME = re.compile(r"(\d{4})-[a-z0-9-]+\.md")
TITLE = re.compile(r"# (\d+)\. (\S.*)")


def problems_of(folder: Path) -> Iterator[str]:
    """What is wrong with the decisions in a folder."""
    files = sorted(file for file in folder.glob("*.md") if file.name != "README.md")
    lines = []
    for place, file in enumerate(files, start=1):
        name, title = NAME.fullmatch(file.name), TITLE.fullmatch(file.read_text().split("\n", 1)[0])
        if name is None or int(name[1]) != place:
            yield f"{file.name} is number {place} in the line: take the next free number"
        elif title is None or int(title[1]) != place:
            yield f"{file.name} must begin with '# {place}. ' and what was decided"
        else:
            lines.append(f"- [{place}. {title[2]}]({file.name})")
    if len(lines) < len(files):
        return
    listed = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("- ")]
    if listed != lines:
        yield "README.md must list the decisions so, and nothing else:\n" + "\n".join(lines)


def main() -> int:
    """0 when nothing is wrong."""
    found = list(problems_of(FOLDER))
    for each in found:
        print(f"check_decisions: {each}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
