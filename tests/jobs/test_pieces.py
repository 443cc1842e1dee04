"""Pieces: what is late is said to take longer, and a busy machine is seen while it lasts."""

import pytest

from pipeline.jobs.past import Past
from pipeline.jobs.pieces import Piece, Pieces


class _Told:
    def __init__(self) -> None:
        self.now = self.cpu = 0.0
        self.left = self.total = 0.0

    def __call__(self, done: float, total: float, text: str = "", point: object = None) -> None:
        self.left, self.total = total - done, total


def test_what_is_left_is_the_sum_of_what_is_expected_here() -> None:
    told, past = _Told(), Past()
    past.took("build", 1.0, 3.0)
    build, point = Piece("build", 2.0), Piece("point", 1.0, fixed_s=5.0)
    pieces = Pieces([build, point, point], past, told, lambda: told.now)
    with pieces.doing(build, "building"):
        assert told.left == pytest.approx(3 * 2 + 2 * (5 + 1))
        told.now = 4.0
        pieces.say("building")
        assert told.left == pytest.approx(2 + 2 * (5 + 1))
    with pieces.doing(point, "a point"):
        told.now += 5 + 2  # around it, twice as long as the formula says: so are those after it
    pieces.say("")
    assert told.left == pytest.approx(5 + 2)
    pieces.without(point)
    pieces.say("")
    assert told.left == 0


def test_a_piece_that_is_late_is_expected_to_take_as_long_again() -> None:
    told = _Told()
    build = Piece("build", 10.0)
    pieces = Pieces([build], Past(), told, lambda: told.now)
    with pieces.doing(build, "building"):
        for told.now, total in ((9.0, 10.0), (30.0, 60.0), (80.0, 160.0)):
            pieces.say("building")
            assert told.total == pytest.approx(total)


def test_the_processors_tell_how_far_a_build_is_on_a_busy_machine() -> None:
    """As it was: 9.7 s were expected of a build that took 87, of which the machine gave it a ninth."""
    told = _Told()
    build = Piece("build IVF_PQ", 9.7)
    pieces = Pieces([build], Past(), told, lambda: told.now)
    with pieces.doing(build, "building", lambda: told.cpu):
        for step in range(1, 88):
            told.now, told.cpu = float(step), step * 2 * 9.7 / 87
            pieces.say("building")
            if step >= 0.2 * 87:
                assert 87 / 2 <= told.total <= 87 * 2
    told.now = told.cpu = 0.0
    again = Pieces([build], pieces.past, told, lambda: told.now)
    assert again.left_s() == pytest.approx(87.0)


def test_a_piece_that_fails_is_no_measure() -> None:
    told, past = _Told(), Past()
    build = Piece("build", 10.0)
    with pytest.raises(ZeroDivisionError), Pieces([build], past, told, lambda: told.now).doing(build, "building"):
        told.now = 1.0
        raise ZeroDivisionError
    assert not past.knows("build")
