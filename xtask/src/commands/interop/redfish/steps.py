"""What all clients have in common; it stands before each of them.

Ends with a summary line as the DMTF's validators print it, and with 1 if a step has failed.
"""

import sys
import time

PRECONDITION_REQUIRED = 428


class NotOffered(Exception):
    """The BMC does not have this and need not, or wants something that the client does not do."""


def until(happened, what, seconds=60, pause=0.25):
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} within {seconds} s")
        time.sleep(pause)


def wait_for_post():
    """Some BMCs refuse changes during POST."""
    time.sleep(15)


def judge(bmc, name, is_not_offered):
    """PASS, FAIL or NOT_TESTED, and why."""
    try:
        getattr(bmc, name)()
    except Exception as reason:  # Whatever it is, the other steps are worth trying.
        if is_not_offered(reason):
            return "NOT_TESTED", reason
        return "FAIL", f"{type(reason).__name__}: {reason}"
    return "PASS", ""


def run(bmc, steps, is_not_offered=lambda reason: isinstance(reason, NotOffered)):
    """Takes the steps, methods of `bmc` by name, one after the other. 1 if one has failed."""
    counts = {"PASS": 0, "WARN": 0, "FAIL": 0, "NOT_TESTED": 0}
    for name in steps:
        outcome, reason = judge(bmc, name, is_not_offered)
        counts[outcome] += 1
        print(outcome, name, reason)
    print("Summary - " + ", ".join(f"{name}: {count}" for name, count in counts.items()))
    return int(counts["FAIL"] > 0)
