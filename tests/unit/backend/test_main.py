"""How the API is served: whom it believes about addresses."""

from typing import Any

import pytest
import uvicorn

from backend import main
from exchange.settings import ApiSettings, load_settings


@pytest.mark.parametrize(
    ("proxies", "believed"), [((), (False, [])), (("10.0.0.0/8", "192.0.2.1"), (True, ["10.0.0.0/8", "192.0.2.1/32"]))]
)
def test_headers_of_proxies_are_believed_from_named_networks_only(
    monkeypatch: pytest.MonkeyPatch, proxies: tuple[str, ...], believed: tuple[bool, list[str]]
) -> None:
    served: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: served.update(options))
    monkeypatch.setattr(main, "make_app", lambda settings: None)
    main.run(load_settings(api=ApiSettings(proxies=proxies)))
    assert (served["proxy_headers"], served["forwarded_allow_ips"]) == believed
