"""The series joins hourly BTC prices with a daily ratio; a small file of the same shape stands for the real one."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bizzan.demo.download import DAILY, HOURLY, MEMBERS, is_complete
from bizzan.demo.prices import load, start_near
from bizzan.demo.replay import Replay, near_last, resume, save

HOURLY_TEXT = """\
Timestamps are UTC timezone,https://www.CryptoDataDownload.com
date,symbol,open,high,low,close,volume_btc,volume
2018-01-02 06-PM,BTCUSD,1,1,1,10500,1,1
2018-01-02 12-PM,BTCUSD,1,1,1,10200.5,1,1
2018-01-02 06-AM,BTCUSD,1,1,1,10000,1,1
2018-01-01 06-AM,BTCUSD,1,1,1,9000,1,1
"""
DAILY_TEXT = """\
,BTC:open,BTC:high,BTC:low,BTC:close,BTC:volume,ETH:open,ETH:high,ETH:low,ETH:close,ETH:volume
2017-12-31,1,1,1,9000,1,,,,,
2018-01-01,1,1,1,10000,1,1,1,1,500,1
2018-01-02,1,1,1,10000,1,1,1,1,900,1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / HOURLY).write_text(HOURLY_TEXT)
    (tmp_path / DAILY).write_text(DAILY_TEXT)
    return tmp_path


def test_hours_come_in_order_and_start_where_eth_has_a_price(folder: Path) -> None:
    series = load(folder)
    assert [prices.at for prices in series] == [datetime(2018, 1, 2, hour, tzinfo=UTC) for hour in (6, 12, 18)]
    assert series[1].btc == Decimal("10200.5")


def test_ratio_lies_on_the_line_between_two_closes(folder: Path) -> None:
    quarter, half, _ = load(folder)
    assert quarter.eth_btc == Decimal("0.06")
    assert half.eth_btc == Decimal("0.07")
    assert half.eth == Decimal("714.04")


def test_start_is_the_hour_nearest_to_the_prices_given(folder: Path) -> None:
    assert start_near(load(folder), Decimal(10_400), Decimal("0.079")) == 2


def test_beliefs_move_on_lines_and_agree_with_one_another(folder: Path) -> None:
    replay = Replay(load(folder), Decimal("0.5"))
    believed = replay.believed()
    assert believed["BTC-USDC"] == Decimal("10100.25")
    assert believed["ETH-USDC"] == believed["BTC-USDC"] * believed["ETH-BTC"]


def test_replay_starts_again_after_the_end(folder: Path) -> None:
    replay = Replay(load(folder), Decimal("1.5"))
    replay.advance(Decimal(1))
    assert replay.position == Decimal("0.5")


def test_belief_stays_near_the_last_trade() -> None:
    assert near_last(Decimal(200), Decimal(100)) == Decimal(105)
    assert near_last(Decimal(50), Decimal(100)) == Decimal(95)
    assert near_last(Decimal(101), Decimal(100)) == Decimal(101)


def test_place_in_the_series_survives_a_restart(folder: Path) -> None:
    series, file = load(folder), folder / "demo.json"
    save(Replay(series, Decimal("1.25")), file)
    assert resume(series, file, None, None).position == Decimal("1.25")


@pytest.mark.parametrize("text", ["", "{}", '{"position": "x"}', '{"position": []}'])
def test_unreadable_place_starts_near_the_prices_given(folder: Path, text: str) -> None:
    (folder / "demo.json").write_text(text)
    replay = resume(load(folder), folder / "demo.json", Decimal(10_200), Decimal("0.07"))
    assert replay.position == Decimal(1)


def test_files_without_the_note_on_their_source_are_fetched_again(folder: Path) -> None:
    assert {HOURLY, DAILY} == set(MEMBERS)
    assert not is_complete(folder)
    (folder / "SOURCE").touch()
    assert is_complete(folder)
