"""Jobs for the same thing, one after the other: a new one is made when none before can do it any more."""

from collections.abc import Sequence

from exchange.chain.submission import Job, JobState
from exchange.database.jobs import MAX_GENERATIONS


def on_its_way(jobs: Sequence[Job]) -> str | None:
    """Why no further job may be made for what these are for, None if one may.

    A job whose call was mined without effect does not stand in the way, final or not: the contract takes each
    batch, withdrawal and heartbeat once, so the worst is gas for a second failure. One that succeeded does,
    also when the chain has lost it: the submitter brings it back.
    """
    if under_way(jobs):
        return "on its way"
    if len(jobs) >= MAX_GENERATIONS:
        return f"given up after {len(jobs)} transactions without effect; see the runbook"
    return None


def under_way(jobs: Sequence[Job]) -> bool:
    """Whether one of these may still do what they are for, or has done it."""
    return any(not job.failed and job.state is not JobState.cancelled for job in jobs)
