"""A spectrometer's silence: by a clock that nobody sets, ended by a capture, begun anew by a run."""

from oesd.service.silence import Silence


class Clock:
    """Set by hand."""

    s = 100.0

    def __call__(self) -> float:
        return self.s


def looked(silence: Silence, clock: Clock, *looks: tuple[float, str, int]) -> list[tuple[float, bool]]:
    found = []
    for clock.s, run, captures in looks:
        found.append(silence.look("a", run, captures))
    return found


def test_a_capture_ends_it_and_a_run_begins_it_anew() -> None:
    clock = Clock()
    silence = Silence(clock)
    looks = (
        (100, "one", 0),
        (130, "one", 0),
        (131, "one", 1),
        (140, "one", 1),
        (141, "two", 1),
        (150, "two", 1),
        (151, "two", 2),
    )
    told = looked(silence, clock, *looks)
    assert told == [(0, False), (30, False), (0, True), (9, True), (0, False), (9, False), (0, True)]


def test_what_it_told_before_the_first_look_counts() -> None:
    clock = Clock()
    assert looked(Silence(clock), clock, (100, "one", 3), (101, "two", 4)) == [(0, True), (0, True)]


def test_another_worker_counts_anew() -> None:
    clock = Clock()
    told = looked(Silence(clock), clock, (100, "one", 5), (110, "one", 0), (120, "one", 2), (121, "one", 3))
    assert told == [(0, True), (10, True), (0, True), (0, True)]


def test_a_pause_is_no_silence() -> None:
    clock = Clock()
    silence = Silence(clock)
    assert looked(silence, clock, (100, "one", 5)) == [(0, True)]
    silence.excuse("a", 5)
    assert looked(silence, clock, (7300, "one", 5), (7310, "one", 5)) == [(0, False), (10, False)]
