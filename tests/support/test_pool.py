"""The thread maps: order, bounds, errors, and giving up."""

import threading
import time

import pytest

from colorizer.support.pool import as_done, in_order


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order(workers):
    def work(i):
        time.sleep(0.002 * (7 - i % 7))
        return i * i

    assert list(in_order(work, range(20), workers)) == [i * i for i in range(20)]
    assert sorted(as_done(work, range(20), workers)) == [i * i for i in range(20)]


@pytest.mark.parametrize(("spread", "most"), [(in_order, 5), (as_done, 2)])
def test_no_more_is_begun_than_there_is_room_for(spread, most):
    begun = []
    options = {"ahead": 5} if spread is in_order else {}
    for count, _ in enumerate(spread(lambda i: begun.append(i), range(40), 2, **options)):
        assert len(begun) <= count + 1 + most
    assert sorted(begun) == list(range(40))


def test_the_slow_do_not_hold_up_the_quick():
    release = threading.Event()

    def work(i):
        if i == 0:
            release.wait(10)
        return i

    results = as_done(work, range(5), 2)
    assert [next(results) for _ in range(4)] == [1, 2, 3, 4]
    release.set()
    assert list(results) == [0]


@pytest.mark.parametrize("spread", [in_order, as_done])
def test_an_error_is_raised_and_what_waits_is_not_begun(spread):
    begun = []

    def work(i):
        begun.append(i)
        if i == 3:
            raise ValueError("three")
        return i

    with pytest.raises(ValueError, match="three"):
        list(spread(work, range(1000), 2))
    assert len(begun) < 20


@pytest.mark.parametrize("spread", [in_order, as_done])
def test_who_stops_asking_stops_the_work(spread):
    begun = []
    results = spread(lambda i: begun.append(i), range(1000), 2)
    next(results)
    results.close()
    assert len(begun) < 20
