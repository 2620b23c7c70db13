"""Shapes of the sign-in."""

from pydantic import BaseModel, ConfigDict, Field


class NonceAnswer(BaseModel):
    """What the message to sign must say."""

    nonce: str = Field(examples=["kZ3v9pQ2mX7a"])
    domain: str = Field(description="the message's domain", examples=["127.0.0.1:8000"])
    chain_id: int = Field(examples=[31337])
    expires_at: int = Field(description="milliseconds; the nonce is good for one attempt until then")
    console_minutes: int = Field(description="how long a session of the operator's console lasts, as its message says")


class LoginRequest(BaseModel):
    """An EIP-4361 message and its EIP-191 signature."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(
        max_length=4_096,
        examples=[
            "127.0.0.1:8000 wants you to sign in with your Ethereum account:\n"
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8\n\n\n"
            "URI: http://127.0.0.1:8000\nVersion: 1\nChain ID: 31337\nNonce: kZ3v9pQ2mX7a\n"
            "Issued At: 2026-01-01T00:00:00Z"
        ],
    )
    signature: str = Field(
        pattern=r"^0x([0-9a-fA-F]{2}){1,1024}$",
        description="65 bytes in 0x hex; of a contract wallet whatever it takes (EIP-1271), up to 1,024 bytes",
    )


class LoginAnswer(BaseModel):
    """A session. Send the token as `Authorization: Bearer`; it is shown once and stored as a hash only."""

    token: str
    address: str
    expires_at: int = Field(description="milliseconds")


class LogoutAnswer(BaseModel):
    """The session is over."""

    ended: bool
