from hypothesis import given
from hypothesis import strategies as st

from oesd.acquisition import Grid

NS = st.integers(min_value=0, max_value=10**18)
PERIOD = st.integers(min_value=1_000_000, max_value=10**12)
SLOT = st.integers(min_value=0, max_value=10**6)


@given(NS, PERIOD, SLOT)
def test_a_slot_is_open_from_its_due_time_until_the_next(t0: int, period: int, slot: int) -> None:
    grid = Grid(t0, period)
    assert grid.slot_at(grid.due_ns(slot)) == slot
    assert grid.slot_at(grid.due_ns(slot + 1) - 1) == slot
    assert grid.missed(slot, grid.due_ns(slot + 1) - 1) == 0
    assert grid.missed(slot, grid.due_ns(slot + 1)) == 1


@given(NS, PERIOD, st.lists(st.integers(min_value=0, max_value=10**10), max_size=50))
def test_served_and_missed_slots_add_up(t0: int, period: int, work_ns: list[int]) -> None:
    """However long each piece of work takes, every slot that is over was served or missed, never both."""
    grid, now, next_slot, served, missed = Grid(t0, period), t0, 0, 0, 0
    for work in work_ns:
        lost = grid.missed(next_slot, now)
        missed, next_slot = missed + lost, next_slot + lost
        now = max(now, grid.due_ns(next_slot))
        served, next_slot = served + 1, next_slot + 1
        now += work
    assert served + missed == next_slot
    assert grid.due_ns(next_slot) <= max(now, grid.due_ns(next_slot))
