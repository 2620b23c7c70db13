"""Inbox commands as the database holds them, and back.

A row has the command's class name in snake_case and its fields without `inbox_id`: bytes as 0x hex, tuples as lists. A
field that has a default may be left out.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from exchange.database.engine_inbox import REPLAYED
from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine import commands as c
from exchange.journal.codec import COMMAND_KINDS, CodecError, decode_command, encode_command


def kind_of(cls: type) -> str:
    """The name under which a command stands in the inbox."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


INBOX_COMMANDS: Mapping[str, type[c.Command]] = {
    kind_of(cls): cls for cls in COMMAND_KINDS.values() if any(field.name == "inbox_id" for field in fields(cls))
}


def to_command(inbox_id: int, kind: str, payload: Mapping[str, Any]) -> c.Command:
    """The command in a row; Refusal `malformed` or `unknown_field` when it is none."""
    cls = INBOX_COMMANDS.get(kind)
    if cls is None:
        raise Refusal(ErrorCode.malformed, f"{kind} is no inbox command", "kind")
    hints = get_type_hints(cls)
    names = set(hints) - {"inbox_id"}
    optional = {field.name for field in fields(cls) if field.default is not MISSING}
    for name in sorted((names ^ set(payload)) - (optional - set(payload))):
        missing = name in names
        code = ErrorCode.malformed if missing else ErrorCode.unknown_field
        raise Refusal(code, f"{kind} {'needs' if missing else 'has no'} {name}", name)
    values = {name: _from_json(name, hints[name], value) for name, value in payload.items()}
    make: Callable[..., c.Command] = cls
    try:
        return decode_command(encode_command(make(inbox_id=inbox_id, **values)))
    except (CodecError, TypeError, OverflowError) as error:
        raise Refusal(ErrorCode.malformed, f"{kind} cannot be used: {error}") from None


def to_payload(command: c.Command) -> dict[str, object]:
    """A command's fields as the inbox holds them."""
    return {field.name: _to_json(getattr(command, field.name)) for field in fields(command) if field.name != "inbox_id"}


def dedup_key(command: Any) -> str:
    """The key under which whoever posts this command again would post it.

    Used to fill an inbox that was lost, so that a fresh index of the chain does not credit a deposit twice.
    """
    match command:
        case c.Credit(cause=cause) | c.Debit(cause=cause) | c.Uncredit(cause=cause):
            return cause
        case c.ReserveForced(request=request):
            return request
        case c.ReleaseForced(request=request):
            return f"{request}:undo"
        case c.ConsumeWithdrawal(withdrawal_hash=digest):
            return f"consume:0x{digest.hex()}:0"
        case c.ReleaseWithdrawal(withdrawal_hash=digest):
            return f"release_withdrawal:0x{digest.hex()}"
        case c.FinalizeBatch(batch=batch):
            return f"finalize:{batch}:0"
        case _:
            return f"{REPLAYED}{command.inbox_id}"


def _from_json(name: str, hint: Any, value: Any) -> Any:
    if hint is bytes:
        if not isinstance(value, str) or not re.fullmatch(r"0x([0-9a-fA-F]{2})*", value):
            raise Refusal(ErrorCode.malformed, f"{name} must be 0x and hexadecimal digits", name)
        return bytes.fromhex(value[2:])
    return tuple(value) if isinstance(value, list) else value


def _to_json(value: Any) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return list(value) if isinstance(value, tuple) else value
