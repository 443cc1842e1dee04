"""On a disk that is full every command is refused in a sentence and changes nothing; with room it does its work."""

import json
from pathlib import Path

from tests.small_disk import on_a_small_disk

SCRIPT = """
import json, os, sys, tarfile
from pathlib import Path
from tests.conftest import cli_here

disk = Path(sys.argv[1])
root, ballast = disk / "ws", disk / "ballast"

def held():
    files = [Path(at) / name for place in (root / "stages", disk / "workspaces")
             for at, _, names in os.walk(place, followlinks=True) for name in names]
    return sorted((str(p.relative_to(disk)), p.read_bytes()) for p in files if ".lock" not in p.name)

def fill(left):
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(max(file.tell() - left, 0))

assert cli_here(root, "ingest", "--clicks", "shop:400")[0] == 0
assert cli_here(root, "preprocess")[0] == 0
assert cli_here(root, "workspace", "export", "ws", str(disk / "kept.tar"))[0] == 0
commands = [
    ["ingest", "--clicks", "shop:2000"],
    ["preprocess", "--data", "last_days=200"],
    ["workspace", "export", "ws", str(disk / "out.tar")],
    ["workspace", "import", str(disk / "kept.tar"), "three"],
    ["workspace", "duplicate", "ws", "two"],
    ["workspace", "create", "four"],
]
for command in commands:
    before, lefts = held(), []
    for left in (0, 40_000):
        fill(left)
        code, answer = cli_here(root, *command)
        lefts.append([code, answer.get("error", "")])
        if code:
            assert held() == before, command
            assert not list(disk.glob(".*"))
            for file in disk.glob("out.tar*"):  # what was there went, and the room was just enough
                tarfile.open(file).getmember("workspace.json")
        ballast.unlink()
    code, answer = cli_here(root, *command)
    print(json.dumps({"command": command[:2], "full": lefts, "room": [code, answer.get("error", "")]}))
"""


def test_every_command_is_refused_in_a_sentence_and_works_with_room(tmp_path: Path) -> None:
    told = [json.loads(line) for line in on_a_small_disk(tmp_path / "disk", "20m", SCRIPT) if line.startswith("{")]
    assert len(told) == 6
    for one in told:
        (code, sentence), (later, other) = one["full"]
        assert code == 2, one
        assert "No space left on device" in sentence, one
        assert "free" in sentence, one
        assert later in (0, 2), one
        assert later == 0 or "No space left on device" in other, one
        assert one["room"][0] == 0 or "already" in one["room"][1], one
