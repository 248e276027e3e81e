"""Is the bench awake? Each fault's scenario must turn red when the agent mishandles that fault.

    python -m tests.hil_defects [NAME...]

A defect is planted in a copy of the project, the scenario is run there, and the verdict must be a failure.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from hil.places.boots import KERNELS
from tests.defects import spoilt, try_all

COPIED = ("agent", "drivers", "hil", "config", "native")


@dataclass(frozen=True)
class Defect:
    """What is done wrong, in which file, and the scenario that must see it."""

    words: str
    scenario: str
    place: str
    file: str
    right: str
    wrong: str


DEFECTS = {
    "error_frames": Defect(
        "error frames are thrown away uncounted", "bad-bus", "process", "agent/core.py",
        '"rejected": dict(zip(REJECTIONS, out.rejected, strict=True))', '"rejected": dict.fromkeys(REJECTIONS, 0)',
    ),
    "babbling_id": Defect(
        "frames that no map knows are counted as decoded ones too", "bad-bus", "process", "agent/core.py",
        '"decoded": out.decoded', '"decoded": out.decoded + out.unmapped',
    ),
    "full_load": Defect(
        "frames that no map knows are not counted", "full-load", "process", "agent/core.py",
        '"unmapped": out.unmapped', '"unmapped": 0',
    ),
    "imu_saturated": Defect(
        "a blow must be felt with more than the sensor can say", "crash-clipped", "process", "agent/settings/rules.py",
        '"horizontal specific force that triggers")] = 19.61', '"horizontal specific force that triggers")] = 118.0',
    ),
    "imu_stuck": Defect(
        "no braking is told that the stuck sensor did not feel", "imu-stuck", "process", "agent/trip/trip.py",
        "    def step(", "    def step(self, output):\n        from agent.core import Event\n"
        "        return [] if isinstance(output, Event) and 'imu' not in output.sources else self._step(output)\n\n"
        "    def _step(",
    ),
    "gnss_jam": Defect(
        "a loss of satellites is told after an hour", "gnss-loss", "process", "agent/settings/rules.py",
        '"moving without a fix for longer; gnss_jamming too")] = 120.0',
        '"moving without a fix for longer; gnss_jamming too")] = 3600.0',
    ),
    "gnss_spoof": Defect(
        "fixes are believed wherever they are", "gnss-spoof", "process", "agent/settings/rules.py",
        '"farther than it can have driven by more than this")] = 1000.0',
        '"farther than it can have driven by more than this")] = 100000.0',
    ),
    "missing_ecu": Defect(
        "a trip ends as soon as nobody tells of the engine", "missing-engine", "process", "agent/trip/trip.py",
        'if sample.engine == "unknown":', 'if sample.engine == "unknown":\n            return True',
    ),
    "link_cut": Defect(
        "what was recorded without a link is never told", "link-cut", "live", "agent/uplink/uplink.py",
        '        self._counters["links"] += 1\n',
        '        self._counters["links"] += 1\n        for lane in self._lanes.values():\n'
        "            lane.grow_old(self._stored_upto)\n            lane.old.has_more = False\n",
    ),
    "half_open": Defect(
        "a silent link is never tried", "half-open", "live", "agent/uplink/session.py",
        "port_of(self._mqtt), self._mqtt.keepalive_s)", "port_of(self._mqtt), 3600)",
    ),
    "broker_restart": Defect(
        "a lost link is never tried again", "broker-restart", "live", "agent/uplink/uplink.py",
        'self.state == "down" and now_s >= self._retry_at_s:', 'self.state == "down" and self._retry_at_s == -math.inf:',
    ),
    "kill_agent": Defect(
        "an open trip is left open after a power cut", "power-cut", "live", "agent/trip/account.py",
        "if left is None or left.is_clean:", "if left is None or left.journal:",
    ),
    "clock_step": Defect(
        "the loop runs on the wall clock", "clock-step", "kernel", "agent/world/clock.py",
        "time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000\n\n\n", "time.time_ns() // 1000\n\n\n",
    ),
    "disk_full": Defect(
        "a full disk is no error", "disk-full", "kernel", "agent/outbox/store.py",
        '        code = getattr(error, "sqlite_errorcode", 0) & 0xFF\n',
        '        code = getattr(error, "sqlite_errorcode", 0) & 0xFF\n        if code == sqlite3.SQLITE_FULL:\n            return\n',
    ),
    "sync_stall": Defect(
        "the loop waits until what it wrote is on flash", "sync-stall", "kernel", "agent/outbox/writer.py",
        "            self._puts.append(put)\n            self._turn.notify()\n",
        "            self._puts.append(put)\n            self._turn.notify()\n"
        "            while self._unsettled:\n                self._turn.wait(0.01)\n",
    ),
    "read_only": Defect(
        "a disk that refuses to be written is no error", "read-only", "kernel", "agent/outbox/store.py",
        '        code = getattr(error, "sqlite_errorcode", 0) & 0xFF\n',
        '        code = getattr(error, "sqlite_errorcode", 0) & 0xFF\n        if code == sqlite3.SQLITE_IOERR:\n            return\n',
    ),
    "power_cut": Defect(
        "what is written is not synced before it is told", "power-cut-disk", "kernel", "agent/outbox/store.py",
        "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF",
    ),
    "drop_writes": Defect(
        "an open trip is left open after a power cut", "lost-writes", "kernel", "agent/trip/account.py",
        "if left is None or left.is_clean:", "if left is None or left.journal:",
    ),
    "low_memory": Defect(
        "the store stays locked by one that was killed", "low-memory", "kernel", "agent/outbox/store.py",
        "        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "        if os.fstat(handle).st_size:\n            raise BlockingIOError\n",
    ),
    "starved": Defect(
        "frames the kernel could not keep are not counted", "starved", "kernel", "agent/counting.py",
        'dropped = sum(counters.get("dropped", 0) for counters in self._rack.counters().values())', "dropped = 0",
    ),
    "trouble_code": Defect(
        "a code that is gone is still told", "trouble-code", "live", "agent/obd/trouble.py",
        "        differ = self.codes.symmetric_difference(codes)", "        differ = set(codes) - self.codes",
    ),
    "codes_cleared": Defect(
        "a cleared code takes the permanent one along", "trouble-cleared", "live", "agent/obd/trouble.py",
        '"0A": "permanent"', '"0A": "stored"',
    ),
    "freeze_agent": Defect(
        "frames the kernel could not keep are not counted", "frozen", "kernel", "agent/counting.py",
        'dropped = sum(counters.get("dropped", 0) for counters in self._rack.counters().values())', "dropped = 0",
    ),
    "slow_network": Defect(
        "the loop waits for the broker's word on each record", "slow-network", "kernel", "agent/uplink/session.py",
        "        return None if client is None else client.publish(self._identity.topic(name), payload, qos=1).mid\n",
        "        if client is None:\n            return None\n"
        "        told = client.publish(self._identity.topic(name), payload, qos=1)\n"
        "        with __import__('contextlib').suppress(RuntimeError, ValueError):\n"
        "            told.wait_for_publish(5)\n        return told.mid\n",
    ),
    "dns_failure": Defect(
        "the loop looks the broker's name up", "no-name", "kernel", "agent/uplink/mqtt.py",
        "        self._connects += 1\n",
        "        self._connects += 1\n        with __import__('contextlib').suppress(OSError):\n"
        "            __import__('socket').getaddrinfo(self._mqtt.host, 1883)\n",
    ),
    "certificate_expired": Defect(
        "the dates of a certificate are not looked at", "certificate-expired", "live", "agent/uplink/broker.py",
        "    context.sslsocket_class = WatchedSocket\n",
        "    context.sslsocket_class = WatchedSocket\n    context.verify_flags |= 0x200000\n",
    ),
    "certificate_wrong": Defect(
        "the name in a certificate is not looked at", "certificate-wrong", "live", "agent/uplink/broker.py",
        "    context.sslsocket_class = WatchedSocket\n",
        "    context.sslsocket_class = WatchedSocket\n    context.check_hostname = False\n",
    ),
    "ntp_step": Defect(
        "nobody's word for the wall clock is believed", "ntp-step", "kernel", "agent/world/clock.py",
        "    if _LIBC.adjtimex(ctypes.byref(state)) < 0 or", "    if True or",
    ),
    "rtc_1970": Defect(
        "a certificate that is not valid yet slows down like one that never will be", "rtc-1970", "kernel",
        "agent/uplink/broker.py", "is_auth=error.verify_code != NOT_YET_VALID", "is_auth=True",
    ),
    "gnss_week": Defect(
        "a receiver's date is believed whatever it is", "gnss-week", "live", "drivers/gnss/utc.py",
        "        if utc_us < self._floor_us:", "        if utc_us < 0:",
    ),
    "bus_off": Defect(
        "bus-off is an error like any other", "bus-off", "kernel", "agent/asking/asking.py",
        "line.is_bus_off = bool(identifier & BUS_OFF) or", "line.is_bus_off =",
    ),
    "answers_torn": Defect(
        "an answer that does not go on is waited for for ever", "torn-answers", "live", "drivers/bus/isotp.py",
        "t_us - self._last_us <= CONSECUTIVE_US", "t_us - self._last_us <= 1000 * CONSECUTIVE_US",
    ),
    "adapter_gone": Defect(
        "a device that was lost is never looked for again", "clone-adapter", "live", "drivers/rack.py",
        "slot.retry_at_s = self._clock() + slot.wait_s", "slot.retry_at_s = self._clock() + 1e9",
    ),
    "tester": Defect(
        "another tester is not noticed", "tester", "live", "drivers/bus/can_asker.py",
        "return self._link.foreign()", "return 0",
    ),
}  # fmt: skip

BESIDES = {
    "unplugged": Defect(
        "back in the car, what it drove meanwhile is not known", "unplugged", "process", "agent/trip/absence.py",
        "far_m, source = odometer_m - before.odometer_m -", "far_m, source = sample.distance_m -",
    ),
    "wrong_order": Defect(
        "time goes on before what was heard in it", "unplugged", "process", "agent/app.py",
        "inputs = batch + tick(now_us)", "inputs = tick(now_us) + batch",
    ),
    "wrong_clock": Defect(
        "time goes on by the wall clock", "unplugged", "process", "agent/app.py",
        "inputs = batch + tick(now_us)", "inputs = batch + tick(__import__('time').time_ns() // 1000)",
    ),
}  # fmt: skip
"""What must be told although no fault is in it."""


def try_one(defect: Defect) -> str:
    """What the bench says of the spoilt agent: the first expectation that fails; empty: it saw nothing."""
    with spoilt(defect, COPIED) as (copy, environment):
        words = [
            sys.executable,
            "-m",
            "hil",
            "run",
            defect.scenario,
            "--place",
            defect.place,
            "--out",
            str(copy / "out"),
        ]
        done = subprocess.run(words, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"✗ (.*)", done.stdout)
    return found[1] if done.returncode == 1 and found else ""


def main(names: Sequence[str]) -> int:
    """Those named, or all."""
    return try_all({**DEFECTS, **BESIDES}, names, try_one, lambda defect: defect.scenario, KERNELS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
