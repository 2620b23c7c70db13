"""Settings of every process: typed, from the environment and one TOML file, refused with the setting's name.

A setting is looked up, first found first taken, in
  1. the environment: `BIZZAN_` + section + `__` + name (`BIZZAN_CHAIN__CHAIN_ID=1`),
  2. the plain variables `RPC_URL` and `DATABASE_URL`,
  3. the TOML file that `BIZZAN_CONFIG` names, or `bizzan.toml` in the current folder,
  4. the defaults below, which make a whole exchange on one machine.

A process builds `Settings` once, in its `main`, with `load_settings()`, and passes it down. Secrets are
`SecretStr`: they print as stars. The default keys are the published ones of the development chain; outside
chain 31337 they are refused and there is no default.

    SettingsError   a setting is missing, malformed, unknown or unsafe; the message says which and what to do
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "BIZZAN_"
CONFIG_VARIABLE = "BIZZAN_CONFIG"
CONFIG_NAME = "bizzan.toml"
LOCAL_CHAIN_ID = 31_337
SOCKET_PATH_LIMIT_BYTES = 100  # sun_path holds 108 on Linux and 104 on macOS, the final zero included
DATABASE_DRIVER = "postgresql+asyncpg"

KeyName = Literal[
    "owner",
    "operator",
    "co_signer",
    "guardian",
    "fee_account",
    "standby_operator",
    "keeper",
    "faucet",
    "sweeper",
    "approver_1",
    "approver_2",
    "approver_3",
    "receipt_signer",
    "auditor",
]

# The accounts that every development chain funds; anyone can sign with them.
LOCAL_KEYS: dict[KeyName, str] = {
    "owner": "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "operator": "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "co_signer": "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "guardian": "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "fee_account": "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    "standby_operator": "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
    "keeper": "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
    "faucet": "0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
    "sweeper": "0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
    "approver_1": "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
    "approver_2": "0xf214f2b2cd398c806f84e317254e0f0b801d0643303237d97a22a48e01628897",
    "approver_3": "0x701b615bbdfb9de65240bc28bd21bbc0d996645a3dd57e7b12bc2bdf6f192c82",
    "receipt_signer": "0xdf57089febbacf7ba0bc227dafbffa9fc08a93fdc68e1e42411a14efcf23656e",
    "auditor": "0xa267530f49f8280200edf313ee7af6b827f2a8bce2897751d06a843f644967b1",
}

Port = Annotated[int, Field(ge=1, le=65_535)]
Count = Annotated[int, Field(ge=1)]
Percent = Annotated[int, Field(ge=0, le=100)]
Network = Annotated[str, AfterValidator(lambda value: str(ip_network(value)))]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]


class SettingsError(Exception):
    """A setting is missing, malformed, unknown or unsafe."""


class Section(BaseModel):
    """One section of the settings; an unknown name in it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ChainSettings(Section):
    """The chain; without `rpc_url` it is the local development chain that `bizzan up` starts.

    `finalized_tag` takes the node's word for what is final instead of counting `final_confirmations`;
    `history_headers` false lets the indexer read final history by its logs only, without each block's header.
    """

    rpc_url: str | None = Field(default=None, pattern=r"^https?://")
    chain_id: Count = LOCAL_CHAIN_ID
    deployment_file: Path | None = None
    credit_confirmations: Count = 3
    final_confirmations: Count = 24
    finalized_tag: bool = False
    history_headers: bool = True
    retained_blocks: Count = 256
    poll_milliseconds: Count = 200


class DatabaseSettings(Section):
    """PostgreSQL; without `url` it is the local server that `bizzan up` starts."""

    url: SecretStr | None = None
    pool_size: Count = 10


class LocalSettings(Section):
    """The chain node and the database server that `bizzan up` runs itself."""

    chain_port: Port = 8_545
    chain_block_seconds: Count = 1
    chain_state_seconds: Count = 3
    database_port: Port = 54_329
    demo: bool = True


class PathSettings(Section):
    """Where state lives; relative paths stand in the current folder."""

    state_dir: Path = Path(".bizzan")
    journal_dir: Path | None = None
    published_dir: Path | None = None
    archive_dir: Path | None = None
    engine_socket: Path | None = None


class EngineSettings(Section):
    """The engine: `implementation` is `fast`, which is the reference where it is not compiled, or `reference`.

    Both give the same events and the same state; a change needs no more than a restart. `replica` is that of the
    projector and of surveillance. The reference there follows what the fast engine does all the time, and finds at once
    what that should have refused; the fast one takes half the time. `max_open_orders` is how many orders an account
    without limits of its own may have open in all markets; a change is journaled at the next start. `account_percent`
    is the part of the engine's time that the orders of one account may take in the long run; with 100 nobody waits.
    """

    implementation: Literal["fast", "reference"] = "fast"
    replica: Literal["fast", "reference"] = "reference"
    max_open_orders: Count = 1_000
    account_percent: Annotated[Percent, Field(ge=1)] = 20


class ApiLimits(Section):
    """Bounds of what one client may ask of the API.

    `requests_*` bound each address and each session; `writes_*` the signed commands of one account, and
    `address_writes_*` those of one address, whose accounts may be many; `operator_writes_*` what one operator does by
    the console.
    """

    body_bytes: Count = 65_536
    frame_bytes: Count = 65_536
    requests_per_second: Count = 200
    requests_burst: Count = 400
    writes_per_second: Count = 100
    writes_burst: Count = 200
    address_writes_per_second: Count = 5_000
    address_writes_burst: Count = 10_000
    operator_writes_per_second: Count = 1
    operator_writes_burst: Count = 20
    connections_per_address: Count = 20
    subscriptions_per_connection: Count = 64
    queued_messages: Count = 1_000
    stalled_seconds: Count = 10


class ApiSettings(Section):
    """The HTTP and WebSocket server.

    `domain` is the name (with port, if any) that sign-in messages must carry; without it the local names,
    and no console off the local chain.
    `public_rpc_url` is a node of the chain that browsers may ask; without it, the local chain's, else none.
    `min_withdrawals` are the smallest signed withdrawals by symbol, in ledger units: the keeper pays gas for each.
    Who signs in as one of `auditors` reads the journal as it is; one of `operators` (whoever is the contract's operator
    is one) what surveillance finds as well, and may open the console, for `operator_session_seconds`, which are whole
    minutes. Headers that say
    for whom a proxy speaks (`X-Forwarded-For`) are believed from the networks in `proxies` alone.
    """

    host: str = "127.0.0.1"
    domain: str | None = None
    public_rpc_url: str | None = Field(default=None, pattern=r"^https?://[^\s;,'\"]+$")
    port: Port = 8_000
    workers: Count = 1
    session_seconds: Count = 86_400
    operator_session_seconds: Annotated[int, Field(ge=60, le=43_200, multiple_of=60)] = 1_800
    lag_blocks: Count = 20
    min_withdrawals: Mapping[str, Count] = {"USDC": 1_000_000, "ETH": 50_000, "BTC": 2_000}
    auditors: tuple[Address, ...] = ()
    operators: tuple[Address, ...] = ()
    proxies: tuple[Network, ...] = ()
    limits: ApiLimits = ApiLimits()


class EntrySettings(Section):
    """Order entry at speed: the binary protocol of docs/api.md.

    `workers` are the processes that check signatures, 0 for one on each core. `penalty_seconds` keeps a key out that
    had a bad signature journaled. An account may have `wasted_at_once` more orders refused than accepted, and then
    `wasted_per_second`; beyond, its messages wait. Who has not opened a session after `opening_seconds` is cut off, and
    an address may ask for `opens_at_once` sessions, and then `opens_per_second`.
    Connections from the networks in `proxies` begin with a header of the PROXY protocol that says whose they are.
    """

    host: str = "127.0.0.1"
    port: Port = 8_001
    workers: Annotated[int, Field(ge=0)] = 0
    session_seconds: Count = 43_200
    sessions_per_account: Count = 8
    connections: Count = 2_000
    connections_per_address: Count = 32
    frames_in_flight: Count = 64
    penalty_seconds: Count = 600
    wasted_at_once: Count = 16_384
    wasted_per_second: Count = 64
    opening_seconds: Count = 10
    opens_at_once: Count = 64
    opens_per_second: Count = 4
    proxies: tuple[Network, ...] = ()


class MetricsSettings(Section):
    """The port on which each process serves `/metrics`; the API serves them on its own port as well."""

    host: str = "127.0.0.1"
    engine: Port = 9_101
    projector: Port = 9_102
    indexer: Port = 9_103
    keeper: Port = 9_104
    publisher: Port = 9_105
    surveillance: Port = 9_106
    entry: Port = 9_107


class PublicationSettings(Section):
    """The published journal: a new piece at most every `every_seconds`; ten minutes are promised."""

    every_seconds: Annotated[int, Field(ge=1, le=300)] = 60


class ArchiveSettings(Section):
    """The journal's archive: every `every_seconds` the publisher moves closed segments that nobody needs at hand."""

    enabled: bool = True
    every_seconds: Count = 300


class SurveillanceSettings(Section):
    """Market surveillance: every `every_seconds` the last `window_seconds` are looked at.

    What the thresholds mean, and why they are so, stands in docs/surveillance.md.
    """

    every_seconds: Count = 30
    window_seconds: Count = 600
    wash_trades: Count = 2
    round_trip_trades: Count = 4
    round_trip_net_percent: Percent = 10
    round_trip_share_percent: Percent = 50
    layering_episodes: Count = 3
    layering_ratio: Count = 5
    layering_before_ms: Count = 60_000
    layering_after_ms: Count = 5_000
    ignition_trades: Count = 5
    ignition_burst_ms: Count = 5_000
    ignition_move_bps: Count = 50
    ignition_share_percent: Percent = 60
    ignition_reversal_ms: Count = 60_000
    ignition_reversal_percent: Percent = 50
    self_trades: Count = 10


class KeeperSettings(Section):
    """The keeper: fees and limits in wei, per key. Nothing new is sent while a limit is reached.

    `max_fee_per_gas` bounds a call, `cancel_max_fee_per_gas` the transfer to self that takes its nonce back.
    `heartbeat_seconds` is how long the contract may go without a sign of the operator. The last three are gas, not
    wei: what is paid in 24 hours for the withdrawals of an account that signs by its key, of a contract wallet, and of
    all contract wallets together; beyond it they wait.
    """

    priority_fee_per_gas: Count = 100_000_000
    max_fee_per_gas: Count = 500_000_000_000
    cancel_max_fee_per_gas: Count = 1_000_000_000_000
    replace_after_seconds: Count = 30
    in_flight: Count = 16
    poll_milliseconds: Count = 250
    batch_milliseconds: Count = 2_000
    heartbeat_seconds: Count = 3_600
    balance_floor: Count = 10**16
    gas_per_day: Count = 100 * 10**18
    account_gas_per_day: Count = 100_000_000
    wallet_gas_per_day: Count = 5_000_000
    wallets_gas_per_day: Count = 100_000_000
    revert_streak: Count = 5
    chain_lag_seconds: Count = 120
    dry_run: bool = False


class SweepSettings(Section):
    """Sweeps of deposit addresses. Keeper and API read the same ones, because the API tells the floors.

    `floors` are ledger units by an asset's symbol: less is not swept; without one it is the smallest order in that
    asset. `accounts_at_once` addresses are looked at every `milliseconds`, in turn. Above `max_fee_per_gas` (wei)
    sweeps wait.
    """

    floors: dict[str, Count] = Field(default_factory=dict)
    accounts_at_once: Count = 100
    milliseconds: Count = 1_000
    max_fee_per_gas: Count = 100_000_000_000


class CoSignerSettings(Section):
    """The co-signer, apart from the keeper's settings: without its own, it reads the keeper's node and database."""

    rpc_url: str | None = Field(default=None, pattern=r"^https?://")
    database_url: SecretStr | None = None


class DemoSettings(Section):
    """The demo traffic: its wallets follow from `seed`; `seconds_per_hour` is how fast the price series is replayed."""

    seed: str = "demo"
    makers: Count = 3
    takers: Count = 5
    orders_per_second: Count = 15
    seconds_per_hour: Count = 10


class FeeSettings(Section):
    """Fee schedules: `notice_seconds` is how long before it a rise is announced; the engine journals it.

    By default the contract's timelock, and at least its delay, so that an exit comes first. It can only grow.
    """

    notice_seconds: Count | None = None


class KeySettings(Section):
    """Private keys, 32 bytes in hexadecimal; on the local chain each has a published default."""

    owner: SecretStr | None = None
    operator: SecretStr | None = None
    co_signer: SecretStr | None = None
    guardian: SecretStr | None = None
    fee_account: SecretStr | None = None
    standby_operator: SecretStr | None = None
    keeper: SecretStr | None = None
    faucet: SecretStr | None = None
    sweeper: SecretStr | None = None
    approver_1: SecretStr | None = None
    approver_2: SecretStr | None = None
    approver_3: SecretStr | None = None
    receipt_signer: SecretStr | None = None
    auditor: SecretStr | None = None

    @field_validator("*")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        digits = value.get_secret_value().removeprefix("0x").lower()
        if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
            raise ValueError("must be 32 bytes in hexadecimal (64 digits, with or without 0x)")
        return SecretStr("0x" + digits)


class Settings(BaseSettings):
    """All settings of one process. Build it with `load_settings()`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    chain: ChainSettings = ChainSettings()
    database: DatabaseSettings = DatabaseSettings()
    local: LocalSettings = LocalSettings()
    paths: PathSettings = PathSettings()
    engine: EngineSettings = EngineSettings()
    entry: EntrySettings = EntrySettings()
    api: ApiSettings = ApiSettings()
    metrics: MetricsSettings = MetricsSettings()
    publication: PublicationSettings = PublicationSettings()
    archive: ArchiveSettings = ArchiveSettings()
    surveillance: SurveillanceSettings = SurveillanceSettings()
    keeper: KeeperSettings = KeeperSettings()
    sweep: SweepSettings = SweepSettings()
    co_signer: CoSignerSettings = CoSignerSettings()
    demo: DemoSettings = DemoSettings()
    fees: FeeSettings = FeeSettings()
    keys: KeySettings = KeySettings()
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _refuse_published_keys(self) -> Self:
        if self.is_local_chain:
            return self
        published = set(LOCAL_KEYS.values())
        for name in LOCAL_KEYS:
            key: SecretStr | None = getattr(self.keys, name)
            if key is not None and key.get_secret_value() in published:
                raise ValueError(
                    f"{setting_name('keys', name)} is a published development key; "
                    f"chain {self.chain.chain_id} is not the local chain {LOCAL_CHAIN_ID}: use a key of your own"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, the plain variables and the TOML file."""
        plain = InitSettingsSource(settings_cls, _plain_variables())
        return init_settings, env_settings, plain, TomlConfigSettingsSource(settings_cls, _config_file())

    @property
    def is_local_chain(self) -> bool:
        """Whether the chain is a development chain, on which the published keys are allowed."""
        return self.chain.chain_id == LOCAL_CHAIN_ID

    @property
    def rpc_url(self) -> str:
        """The address of the chain node's JSON-RPC."""
        return self.chain.rpc_url or f"http://127.0.0.1:{self.local.chain_port}"

    @property
    def public_rpc_url(self) -> str | None:
        """The chain node that the web app asks; None where there is none for everybody."""
        return self.api.public_rpc_url or (self.rpc_url if self.is_local_chain else None)

    @property
    def state_dir(self) -> Path:
        """The folder of everything this machine keeps, absolute."""
        return self.paths.state_dir.absolute()

    @property
    def journal_dir(self) -> Path:
        """The folder of the engine's journal, absolute."""
        return (self.paths.journal_dir or self.state_dir / "journal").absolute()

    @property
    def published_dir(self) -> Path:
        """The folder in which the journal is published, absolute."""
        return (self.paths.published_dir or self.state_dir / "published").absolute()

    @property
    def archive_dir(self) -> Path:
        """The folder to which closed segments of the journal go, absolute."""
        return (self.paths.archive_dir or self.state_dir / "archive").absolute()

    @property
    def log_dir(self) -> Path:
        """The folder with one log file per service, absolute."""
        return self.state_dir / "logs"

    @property
    def deployment_file(self) -> Path:
        """The file with the contract's address and markets: the local chain's lives with its state."""
        if self.chain.deployment_file is not None:
            return self.chain.deployment_file.absolute()
        folder = self.state_dir if self.is_local_chain else Path.cwd()
        return folder / "deployments" / f"{self.chain.chain_id}.json"

    @property
    def database_password_file(self) -> Path:
        """The file in which the local database server's generated password stands (mode 0600)."""
        return self.state_dir / "postgres.password"

    def database_url(self) -> str:
        """The database's address for SQLAlchemy's asyncpg driver.

        Raises SettingsError when no address is set and no local server was ever started here.
        """
        if self.database.url is not None:
            return _with_driver(self.database.url.get_secret_value())
        try:
            password = self.database_password_file.read_text().strip()
        except OSError:
            raise SettingsError(
                f"no database: {setting_name('database', 'url')} (or DATABASE_URL) is not set and no local server "
                f"was started in {self.state_dir}; set it, or start the local stack with 'bizzan up'"
            ) from None
        return f"{DATABASE_DRIVER}://bizzan:{password}@127.0.0.1:{self.local.database_port}/bizzan"

    def key(self, name: KeyName) -> str:
        """The private key of a role as `0x` and 64 digits; on the local chain the published one by default.

        Raises SettingsError when the chain is not local and the key is not set.
        """
        key: SecretStr | None = getattr(self.keys, name)
        if key is not None:
            return key.get_secret_value()
        if self.is_local_chain:
            return LOCAL_KEYS[name]
        raise SettingsError(
            f"{setting_name('keys', name)} is not set, and chain {self.chain.chain_id} has no default for it"
        )

    def engine_socket(self) -> Path:
        """The path of the engine's Unix socket, short enough for the operating system.

        A state folder with a long name gets a private folder under /tmp instead. Raises SettingsError when a
        configured path is too long, or when that folder belongs to somebody else.
        """
        path = (self.paths.engine_socket or self.state_dir / "engine.sock").absolute()
        if len(os.fsencode(path)) < SOCKET_PATH_LIMIT_BYTES:
            return path
        if self.paths.engine_socket is not None:
            raise SettingsError(
                f"{setting_name('paths', 'engine_socket')} must be shorter than {SOCKET_PATH_LIMIT_BYTES} bytes: {path}"
            )
        return runtime_dir(self.state_dir) / "engine.sock"

    def entry_socket(self) -> Path:
        """The path of the Unix socket of order entry, beside the engine's: for processes of ours alone."""
        return self.engine_socket().with_name("entry.sock")


def runtime_dir(state_dir: Path) -> Path:
    """A short folder under /tmp for the sockets of one state folder, private to this user; made when missing."""
    digest = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:12]
    path = Path("/tmp") / f"bizzan-{os.geteuid()}-{digest}"
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise SettingsError(f"{path} must be a folder of your own with mode 0700: remove it and start again")
    return path


def setting_name(*parts: str | int) -> str:
    """The environment variable of a setting: `setting_name("api", "port")` is `BIZZAN_API__PORT`."""
    return PREFIX + "__".join(str(part) for part in parts).upper()


def load_settings(**overrides: Any) -> Settings:
    """Build the settings from all sources; `overrides` are sections that win over them.

    Raises SettingsError with one line per wrong setting; values are never repeated in it.
    """
    _refuse_unknown_variables()
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(_describe(item) for item in error.errors(include_input=False))) from None
    except ValueError as error:  # the TOML file does not parse, or a section in the environment is no table
        raise SettingsError(f"settings cannot be read: {error}") from None


def _describe(item: Any) -> str:
    """One line of a refusal: both names of the setting, and what is wrong with it."""
    message = str(item["msg"]).removeprefix("Value error, ")
    location = item["loc"]
    if not location:
        return message
    if item["type"] == "extra_forbidden":
        message = "is not a setting; check its spelling"
    dotted = ".".join(str(part) for part in location)
    return f"{setting_name(*location)} ({dotted} in {CONFIG_NAME}): {message}"


def _refuse_unknown_variables() -> None:
    """Refuse `BIZZAN_...` variables that name no section: a typo would otherwise be silent."""
    known = {setting_name(name) for name in Settings.model_fields} | {CONFIG_VARIABLE}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable.split("__")[0] not in known:
            raise SettingsError(f"{variable} is not a setting; check its spelling")


def _plain_variables() -> dict[str, dict[str, str]]:
    """The settings that also have the name which other tools give them."""
    values: dict[str, dict[str, str]] = {}
    if url := os.environ.get("RPC_URL"):
        values["chain"] = {"rpc_url": url}
    if url := os.environ.get("DATABASE_URL"):
        values["database"] = {"url": url}
    return values


def _config_file() -> Path:
    """The TOML file in use; one that is named must exist, the default one need not."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        raise SettingsError(f"{CONFIG_VARIABLE} names a file that does not exist: {named}")
    return Path(named or CONFIG_NAME)


def _with_driver(url: str) -> str:
    """The same database address, for SQLAlchemy's asyncpg driver."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", DATABASE_DRIVER):
        raise SettingsError(f"{setting_name('database', 'url')} must start with postgresql:// (found {scheme}://)")
    return f"{DATABASE_DRIVER}://{rest}"
