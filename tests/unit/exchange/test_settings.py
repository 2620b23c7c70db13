"""Settings come from four places, and a wrong one is refused by its name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from exchange.settings import LOCAL_KEYS, SettingsError, load_settings, runtime_dir

OWN_KEY = "0x" + "11" * 32


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("BIZZAN_") or name in ("RPC_URL", "DATABASE_URL"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_make_a_local_stack(tmp_path: Path) -> None:
    settings = load_settings()

    assert settings.rpc_url == "http://127.0.0.1:8545"
    assert settings.state_dir == tmp_path / ".bizzan"
    assert settings.deployment_file == tmp_path / ".bizzan" / "deployments" / "31337.json"
    assert settings.key("operator") == LOCAL_KEYS["operator"]


def test_environment_wins_over_plain_variable_and_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bizzan.toml").write_text('[chain]\nrpc_url = "http://file"\nchain_id = 5\n')
    assert load_settings().rpc_url == "http://file"

    monkeypatch.setenv("RPC_URL", "http://plain")
    assert load_settings().rpc_url == "http://plain"
    assert load_settings().chain.chain_id == 5

    monkeypatch.setenv("BIZZAN_CHAIN__RPC_URL", "http://environment")
    assert load_settings().rpc_url == "http://environment"


def test_named_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[api]\nport = 9000\n")
    monkeypatch.setenv("BIZZAN_CONFIG", str(tmp_path / "other.toml"))

    assert load_settings().api.port == 9_000


def test_named_file_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIZZAN_CONFIG", "nowhere.toml")

    with pytest.raises(SettingsError, match=r"BIZZAN_CONFIG names a file that does not exist: nowhere\.toml"):
        load_settings()


def test_file_that_does_not_parse_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bizzan.toml").write_text("[chain\n")

    with pytest.raises(SettingsError, match="settings cannot be read"):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("BIZZAN_CHIAN__RPC_URL", "http://x", "BIZZAN_CHIAN__RPC_URL is not a setting"),
        ("BIZZAN_CHAIN__RPC", "http://x", r"BIZZAN_CHAIN__RPC \(chain.rpc in bizzan.toml\): is not a setting"),
        ("BIZZAN_CHAIN__CHAIN_ID", "one", "BIZZAN_CHAIN__CHAIN_ID .*valid integer"),
        ("BIZZAN_API__PORT", "70000", "BIZZAN_API__PORT .*less than or equal to 65535"),
        ("BIZZAN_CHAIN__RPC_URL", "ws://x", "BIZZAN_CHAIN__RPC_URL .*pattern"),
    ],
)
def test_wrong_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_wrong_key_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIZZAN_KEYS__OPERATOR", "0xsecret")

    with pytest.raises(SettingsError, match="BIZZAN_KEYS__OPERATOR .*32 bytes") as refusal:
        load_settings()

    assert "0xsecret" not in str(refusal.value)


def test_published_key_is_refused_on_another_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIZZAN_CHAIN__CHAIN_ID", "1")
    monkeypatch.setenv("BIZZAN_KEYS__CO_SIGNER", LOCAL_KEYS["co_signer"].upper().replace("0X", ""))

    with pytest.raises(SettingsError, match="BIZZAN_KEYS__CO_SIGNER is a published development key"):
        load_settings()


def test_missing_key_on_another_chain_is_refused_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIZZAN_CHAIN__CHAIN_ID", "1")
    monkeypatch.setenv("BIZZAN_KEYS__OPERATOR", OWN_KEY)
    settings = load_settings()

    assert settings.key("operator") == OWN_KEY
    with pytest.raises(SettingsError, match="BIZZAN_KEYS__KEEPER is not set, and chain 1 has no default"):
        settings.key("keeper")


def test_floors_of_sweeps_are_named_by_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIZZAN_SWEEP__FLOORS__USDC", "5000000")

    floors = load_settings().sweep.floors
    assert {symbol.upper(): floor for symbol, floor in floors.items()} == {"USDC": 5_000_000}


def test_secrets_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIZZAN_KEYS__OPERATOR", OWN_KEY)
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2@host/name")
    settings = load_settings()

    printed = repr(settings) + str(settings.model_dump_json())
    assert "hunter2" not in printed
    assert "1111" not in printed


def test_database_url_gets_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:pass@host/name")

    assert load_settings().database_url() == "postgresql+asyncpg://user:pass@host/name"


def test_database_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://host/name")

    with pytest.raises(SettingsError, match="BIZZAN_DATABASE__URL must start with postgresql://"):
        load_settings().database_url()


def test_database_url_of_a_stack_that_never_ran_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match="set it, or start the local stack with 'bizzan up'"):
        load_settings().database_url()


def test_engine_socket_of_a_long_path_moves_to_a_private_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIZZAN_PATHS__STATE_DIR", "/tmp/" + "deep/" * 30)
    settings = load_settings()
    path = settings.engine_socket()

    assert len(os.fsencode(path)) < 100
    assert path == settings.engine_socket()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.parent.rmdir()


def test_runtime_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    folder = runtime_dir(tmp_path)
    folder.chmod(0o755)

    with pytest.raises(SettingsError, match="must be a folder of your own with mode 0700"):
        runtime_dir(tmp_path)
    folder.rmdir()


def test_configured_engine_socket_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIZZAN_PATHS__ENGINE_SOCKET", "/tmp/" + "deep/" * 30)

    with pytest.raises(SettingsError, match="BIZZAN_PATHS__ENGINE_SOCKET must be shorter than 100 bytes"):
        load_settings().engine_socket()
