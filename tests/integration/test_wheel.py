"""The wheel, built where nothing compiles and installed into an environment of its own: the reference does the work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from bizzan.contracts import ROOT
from bizzan.supervisor.ports import free_port
from exchange.domain.order import Side
from exchange.engine.commands import CancelOrder
from exchange.sequencer.client import EngineClient
from exchange.sequencer.protocol import Ack
from tests.integration.sequencer.engine_process import DEPLOYMENT, funding, place, short_folder, trader
from tests.utils.waiting import wait_for

PACKAGES = ("bizzan", "exchange", "backend", "indexer", "keeper")
FILES = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE")
LEFT_OUT = shutil.ignore_patterns("*.so", "*.new", "__pycache__", "built")
UV = ROOT / ".tools/bin/uv"
OFFLINE = {**os.environ, "UV_NO_CONFIG": "1", "UV_OFFLINE": "1", "UV_LINK_MODE": "copy"}
BUILD = (
    "import runpy, sysconfig; sysconfig.get_config_vars()['CC'] = '/bin/false';"
    "runpy.run_module('hatchling', run_name='__main__')"
)
"""Builds as `python -m hatchling` does, with a compiler that fails."""
RUN = "from exchange.sequencer.main import run; from exchange.settings import load_settings; run(load_settings())"


def call(*words: str | Path, cwd: Path) -> str:
    """What a command says, both ways; AssertionError with it unless it ends well."""
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=OFFLINE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The wheel of a copy of the sources, and what its build said."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=LEFT_OUT)
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    said = call(sys.executable, "-c", BUILD, "build", "-t", "wheel", "-d", source / "dist", cwd=source)
    (wheel,) = (source / "dist").glob("*.whl")
    return wheel, said


@pytest.fixture(scope="module")
def python(built: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel; what it depends on comes from the environment of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    call(UV, "venv", "--quiet", "--no-project", "--python", sys.executable, folder / "venv", cwd=folder)
    python = folder / "venv/bin/python"
    call(UV, "pip", "install", "--quiet", "--no-deps", "--no-index", "--python", python, built[0], cwd=folder)
    (packages,) = (folder / "venv/lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


@pytest.fixture
def engine(python: Path) -> Iterator[Path]:
    """A running engine of that environment; its folder."""
    with short_folder() as folder:
        (folder / "deployment.json").write_text(json.dumps(DEPLOYMENT.to_json()))
        environment = {
            **os.environ,
            "BIZZAN_PATHS__STATE_DIR": str(folder),
            "BIZZAN_CHAIN__DEPLOYMENT_FILE": str(folder / "deployment.json"),
            "BIZZAN_METRICS__ENGINE": str(free_port()),
        }
        log = folder / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [python, "-c", RUN], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            wait_for(lambda: _listens(process, log), "the engine")
            yield folder
        finally:
            process.kill()
            process.wait(60)


def _listens(process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    return "engine listens" in log.read_text()


def test_a_build_without_a_compiler_says_what_comes_of_it(built: tuple[Path, str]) -> None:
    wheel, said = built
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "not compiled, so the reference engine works" in said


def test_all_that_runs_is_the_wheels(python: Path) -> None:
    program = (
        "import importlib.util as u, json, bizzan, exchange, backend, indexer, keeper;"
        "from exchange.domain import frame, receipt;"
        "print(json.dumps([[each.__file__ for each in (bizzan, exchange, backend, indexer, keeper)],"
        "u.find_spec('exchange.engine.fast.core') is None, frame.IS_COMPILED, receipt.IS_COMPILED]))"
    )
    files, nothing, *compiled = json.loads(call(python, "-c", program, cwd=python.parent))
    assert all(Path(file).is_relative_to(python.parents[1]) for file in files), files
    assert nothing is True
    assert compiled == [False, False]


async def test_the_reference_runs_from_the_wheel(engine: Path) -> None:
    assert "the fast engine was not compiled" in (engine / "log").read_text()
    async with EngineClient(engine / "engine.sock") as client:
        await client.submit_many(funding(2))
        offer = await client.submit(place(trader(0), 1, Side.sell))
        bid = await client.submit(place(trader(1), 1, Side.buy))
        assert isinstance(offer, Ack)
        assert isinstance(bid, Ack)
        assert bid.receipt is not None
        await client.submit_many([place(trader(0), 2, Side.sell), CancelOrder(trader(0), 2, bytes(65), trader(0))])
        assert await client.open_orders(trader(0)) == await client.open_orders(trader(1)) == []
        assert (await client.status()).is_fast is False
