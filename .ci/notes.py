"""What CHANGELOG.md says of the version that is about to be released, for its announcement.

    python .ci/notes.py [--version]

Prints the version's section, or with `--version` its number; ends with a sentence and status 1
where the changelog has none, or CITATION.cff names another version.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


version = re.search(r'__version__ = "(.+)"', read("colorizer/version.py"))[1]
if "--version" in sys.argv:
    sys.exit(print(version))
section = re.search(
    rf"^## {re.escape(version)}( .*)?\n(?P<text>.*?)(?=^## |\Z)",
    read("CHANGELOG.md"),
    re.MULTILINE | re.DOTALL,
)
if section is None or not section["text"].strip():
    sys.exit(f'CHANGELOG.md has no section "## {version}": rename "## Unreleased"')
if f"\nversion: {version}\n" not in read("CITATION.cff"):
    sys.exit(f"CITATION.cff names another version than {version}")
print(section["text"].strip())
