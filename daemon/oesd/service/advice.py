"""What an operator can do about the reasons that stand in the ledger: one table for commands, API and page."""

from __future__ import annotations

from collections.abc import Iterable

ADVICE = {
    "clock stepped": "the host's clock was set while slots were counted by it: keep NTP running (timedatectl)",
    "daemon down": "the daemon was killed or the computer was off: journalctl -u oesd, journalctl --list-boots",
    "daemon stopped": "its process did not run for a while (SIGSTOP, a frozen or overloaded host): look at the host",
    "dark refused": "it showed light, or was not like a dark: block the light, then oesd capture dark",
    "dark taken": "a dark was taken in their time: nothing to do",
    "defect in oesd": "a mistake of ours: the daemon's log has its place; please report it",
    "device busy": "another program has the spectrometer: close it",
    "device gone": "the spectrometer was not on USB: look at its cable, hub and power",
    "disk full": "make room in the data directory's file system, or let confirmed spectra go ([store] on_full)",
    "host asleep": "the computer slept: switch suspend off (systemctl mask sleep.target suspend.target)",
    "light switch": "the shutter or lamp did not obey: the daemon's log has its words",
    "no permission": "install the udev rules of systemd/, plug the spectrometer in again",
    "no trigger": "no trigger came in time: look at the trigger line and [trigger] timeout",
    "not stored": "the disk did not take it: the daemon's log names the error",
    "overrun": "scans times integration time do not fit into the period: raise [capture] every, or lower scans",
    "paused": "somebody paused it: oesd run resume",
    "reference refused": "it was saturated, or showed no light: set lamp and exposure, then oesd capture reference",
    "reference taken": "a reference was taken in their time: nothing to do",
    "refused by device": "the spectrometer refuses its settings: oesd check-config, and the daemon's log",
    "sample taken": "a sample ordered by hand was taken in their time: nothing to do",
    "saturated": "too much light: shorten [capture] integration, or set [exposure] mode = \"auto\"",
    "store too slow": "the disk is too slow or failing: look at dmesg and smartctl",
    "usb error": "bad USB transfers: another cable or port, no unpowered hub",
    "worker lost": "the driver's process died or hung and was started anew: the daemon's log; often a failing cable",
}  # fmt: skip
"""Reason in the ledger to what can be done about it."""


def advice_for(reasons: Iterable[str]) -> dict[str, str]:
    """Return the advice on those of the reasons that have one."""
    return {reason: ADVICE[reason] for reason in sorted(set(reasons)) if reason in ADVICE}
