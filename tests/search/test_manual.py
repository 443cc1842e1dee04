"""docs/indexes.md is what the command prints, and holds the whole catalogue."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.project import PROJECT
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.manual import manual

DOCUMENT = PROJECT / "docs" / "indexes.md"


def test_the_document_is_what_the_command_prints(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "index", "types", "--markdown", "--workspace", str(tmp_path / "ws")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert DOCUMENT.read_text() == printed, "run `python -m pipeline index types --markdown > docs/indexes.md`"
    assert not (tmp_path / "ws").exists()  # it needs no workspace


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_section_says_all_that_the_entry_says(name: str) -> None:
    entry = CATALOGUE[name]
    section = manual().split(f"\n## {name}\n")[1].split("\n## ")[0]
    assert entry.summary in section
    assert entry.source in section
    for param in (*entry.build, *entry.search):
        (line,) = [row for row in section.splitlines() if row.startswith(f"| `{param.name}`,")]
        assert param.meaning in line
        assert all(choice in line for choice in param.choices)
        for other in (*param.at_least, *param.at_most, param.divides):
            assert {"rows": "number of vectors", "dim": "dimensions"}.get(other, other) in line


def test_figures_stand_as_they_are_computed() -> None:
    lines = manual().splitlines()
    assert "| [FLAT](#flat) | CPU | 2.0 | yes | L2, IP, COSINE | 256 MB | " in "\n".join(lines)
    assert any(line.startswith("| `nlist`, build | 1 to 65,536 | 1,024, from the vectors | at most") for line in lines)
    assert any(line.startswith("| `m`, build | 1 to 65,536 | 32, from the vectors |") for line in lines)
    assert any(line.startswith("| `refine`, build | true, false | false |") for line in lines)
