"""The engine process: recover, seed, listen, commit, until it is told to stop.

    run(settings)    blocks; SIGTERM and SIGINT stop it cleanly

It exits with an error, and loses nothing that was acknowledged, when the journal is corrupt or locked, when there is no
deployment, or when the disk fails. A clean stop leaves a snapshot; recovery needs none.
"""

import asyncio
import gc
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import structlog
import uvloop

from exchange.engine.commands import Command
from exchange.engine.engine import Engine
from exchange.journal.codec import encode_command
from exchange.journal.errors import JournalError
from exchange.journal.journal import Journal
from exchange.journal.publication import check_continues
from exchange.journal.recovery import Recovered, take_snapshot
from exchange.sequencer.committer import Committer
from exchange.sequencer.engines import implementation, watch_handover
from exchange.sequencer.health import serve_health
from exchange.sequencer.logs import configure_logs
from exchange.sequencer.metrics import EngineMetrics
from exchange.sequencer.notary import notary_of
from exchange.sequencer.protocol import Refused
from exchange.sequencer.replaying import Replaying
from exchange.sequencer.seed import SeedError, bind_journal, fee_rules, load_deployment, missing_commands
from exchange.sequencer.server import Server
from exchange.sequencer.shares import Shares
from exchange.sequencer.slices import take_short_turns
from exchange.settings import Settings, SettingsError

_SWITCH_SECONDS = 0.0005
"""Threads that judge frames come back for the interpreter's lock; nobody waits ten times as long for it."""

_log = structlog.get_logger("engine")


def run(settings: Settings) -> None:
    """Run the engine until it is told to stop. SystemExit with a message when it cannot run."""
    configure_logs(settings.log_level, "engine")
    sys.setswitchinterval(_SWITCH_SECONDS)
    take_short_turns()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings))
    except (JournalError, SeedError, SettingsError) as error:
        _log.error("engine cannot run", error=str(error))
        raise SystemExit(str(error)) from None


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def _run(settings: Settings) -> None:
    deployment = load_deployment(settings.deployment_file)
    metrics = EngineMetrics()
    judge_count = os.cpu_count() or 1
    with (
        Journal.open(settings.journal_dir) as journal,
        journal.make_room_ahead(),
        ThreadPoolExecutor(1, "journal-sync") as executor,
        ThreadPoolExecutor(judge_count, "judge") as judges,
    ):
        bind_journal(settings.journal_dir, deployment)
        check_continues(settings.published_dir, settings.journal_dir)
        recovered = _recover(journal, implementation(settings.engine.implementation))
        watch_handover(recovered.engine, metrics)
        notary = notary_of(settings, deployment)
        shares = Shares(settings.engine.account_percent)
        committer = Committer(recovered.engine, journal, now_ms, executor, notary, judges, judge_count, shares)
        rules, most = fee_rules(settings.fees, deployment), settings.engine.max_open_orders
        await _seed(committer, missing_commands(recovered.engine, deployment, rules, most))
        gc.freeze()  # what recovery built stays; walking it at every collection would stall the loop
        server = Server(committer, metrics, separator=deployment.domain.separator)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        health = lambda: "the journal has no room" if committer.journal_full else None  # noqa: E731
        async with serve_health(settings.metrics.host, settings.metrics.engine, metrics.registry, health):
            path = settings.engine_socket()
            path.parent.mkdir(parents=True, exist_ok=True)
            metrics.sequence.set(journal.seq)
            _log.info("engine listens", socket=str(path), seq=journal.seq, head=journal.head.hex())
            await server.serve(path)
        _snapshot(journal, recovered.snapshot_seq, committer)
    _log.info("engine stopped", seq=journal.seq)


def _recover(journal: Journal, engine: type[Engine]) -> Recovered:
    """The engine at the journal's end, with a snapshot of it if that took long."""
    started = time.perf_counter()
    replaying = Replaying(journal.folder, _log)
    recovered = replaying.recover(None, engine)
    _log.info(
        "engine recovered",
        seq=recovered.seq,
        snapshot_seq=recovered.snapshot_seq,
        replayed=recovered.replayed,
        cut_bytes=journal.cut_bytes,
        milliseconds=int((time.perf_counter() - started) * 1_000),
    )
    replaying.keep_if_long(recovered)
    return recovered


async def _seed(committer: Committer, commands: list[Command]) -> None:
    """Commit the deployment's news before anybody can connect."""
    if not commands:
        return
    result = await committer.commit([(encode_command(command), command) for command in commands])
    for outcome in result.outcomes:
        if isinstance(outcome, Refused):
            raise SeedError(f"the deployment cannot be listed: {outcome.message}")
    _log.info("deployment listed", commands=len(commands))


def _snapshot(journal: Journal, since: int, committer: Committer) -> None:
    """A snapshot at a clean stop, so that the next start is quick; a disk without room for it is no harm."""
    if journal.seq == since:
        return
    engine = committer.engine
    try:
        take_snapshot(journal.folder, Recovered(engine, journal.seq, journal.head, engine.at_ms))
    except OSError as error:
        _log.warning("no snapshot taken", error=str(error))
