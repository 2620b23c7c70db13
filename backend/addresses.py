"""Addresses of clients: what they count as, and which of them speak for others."""

from ipaddress import IPv6Address, ip_address, ip_network


def counted_as(address: str) -> str:
    """What an address counts as: its network of 64 bits for version 6, of which one client has as many as it likes."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped is not None else str(ip_network((int(parsed) >> 64 << 64, 64)))


def is_trusted(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address is in one of the networks of proxies that say for whom they speak."""
    if not networks or not address:
        return False
    return any(ip_address(address) in ip_network(network) for network in networks)
