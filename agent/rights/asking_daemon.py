"""`tbox trips contest` and `tbox trips erase`: asks the daemon, which alone writes, and waits for its answer.

Where no daemon runs the request waits in the state folder: the next `tbox run` sees to it first of all.
"""

import sys
import time
from pathlib import Path

from agent.errors import InputError, UsageError
from agent.rights import spool, trips
from agent.rights.requests import Contest, Erase, Request, RequestError
from agent.yard.install import Install

ANSWER_S = 15.0
"""A daemon looks once a second, and needs some moments on a slow disk."""

LOOK_S = 0.05


def contest(state_dir: Path, event: int, text: str) -> int:
    """A note of contest on an event. 0: noted, or waiting. InputError: refused; UsageError: the text is no note."""
    return _ask(state_dir, Contest(event, text))


def erase(state_dir: Path, trip: int, *, is_sure: bool) -> int:
    """Erase a trip from this terminal. 0: erased, or waiting; 1: not confirmed. InputError: none, or refused."""
    told = trips.summary(state_dir, trip)
    if not is_sure:
        when, way_m = told["start_utc"] or "not dated", told["distance_m"]
        way = "" if way_m is None else f", {way_m / 1000:.2f} km"
        print(f"trip {trip} ({when}{way}): its samples, events and evidence go for good; the account says so.")
        print('Type "yes" to erase it: ', end="", flush=True)
        if sys.stdin.readline().strip() != "yes":
            print("nothing was erased")
            return 1
    return _ask(state_dir, Erase(trip))


def certify(state_dir: Path, said: Install) -> int:
    """An installation is certified by the terminal itself. 0: it is, or will be. InputError: refused, says why."""
    return _ask(state_dir, said)


def _ask(state_dir: Path, request: Request, wait_s: float = ANSWER_S) -> int:
    """Put the request where the daemon looks, wait for its answer."""
    trips.check_store(state_dir)
    try:
        name = spool.put(state_dir, request)
    except RequestError as why:
        raise UsageError(str(why)) from None
    until_s = time.monotonic() + (wait_s if spool.is_running(state_dir) else 0.0)
    while (answer := spool.fetch(state_dir, name)) is None:
        if time.monotonic() >= until_s:
            print("noted here, and done when tbox run runs next: it is not running, or did not answer yet")
            return 0
        time.sleep(LOOK_S)
    if not answer.is_done:
        raise InputError(answer.text)
    print(answer.text)
    return 0
