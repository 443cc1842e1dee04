"""What a stage did, as text."""

import pytest

from pipeline.cli.stages import show_stage


def test_steps_of_a_training_are_a_number_and_those_of_preprocessing_a_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = {"stage": "models/two_tower", "skipped": True, "seconds": 0.0, "metrics": {"steps": 146}}
    show_stage(told)
    assert "steps                    146" in capsys.readouterr().out
    step = {"why": "Everything that was read", "clicks": 9, "sessions": 3, "items": 2}
    show_stage(told | {"metrics": {"steps": [step]}})
    assert "Everything that was read" in capsys.readouterr().out
