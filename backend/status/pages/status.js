"use strict";
// Fills the page from the public API, once every two seconds. Amounts are strings of integers and stay exact.
const FIGURES = [
  ["block", "Block"], ["indexed_block", "Indexed block"], ["lag", "Lag, blocks"], ["finalized_block", "Final block"],
  ["engine_seq", "Journal"], ["batches_settled", "Batches settled"], ["trades", "Trades matched"],
  ["trades_settled", "Trades settled"], ["trades_reversed", "Trades reversed"], ["mismatches", "Mismatches"],
  ["withdrawals_given_up", "Withdrawals given up"],
];

let exchange = null;

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}`);
  return answer.json();
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

// Quote ledger units per lot, as quote units per whole base unit: exact, in integers.
function human(price, market) {
  if (price === null) return "–";
  const base = exchange.assets.find((asset) => asset.asset_id === market.base_asset);
  const quote = exchange.assets.find((asset) => asset.asset_id === market.quote_asset);
  const scaled = BigInt(price) * 10n ** BigInt(base.decimals) / BigInt(market.lot_size);
  const digits = scaled.toString().padStart(quote.decimals + 1, "0");
  const whole = digits.slice(0, -quote.decimals);
  const part = digits.slice(-quote.decimals).replace(/0+$/, "");
  return part ? `${whole}.${part}` : whole;
}

function showStatus(status) {
  const names = Object.keys(status.problems);
  document.getElementById("state").textContent = names.length ? `degraded: ${names.join(", ")}` : status.status;
  const list = document.getElementById("figures");
  list.replaceChildren(...FIGURES.map(([key, label]) => {
    const pair = document.createElement("div");
    pair.append(element("dt", label), element("dd", status[key] === null ? "–" : String(status[key])));
    return pair;
  }));
}

function showTicker(ticker) {
  const market = exchange.markets.find((one) => one.market_id === ticker.market_id);
  const row = document.createElement("tr");
  const level = (side) => (side === null ? "–" : human(side[0], market));
  const cells = [ticker.symbol, human(ticker.last_price, market), level(ticker.best_bid), level(ticker.best_ask)];
  row.append(...cells.map((text) => element("td", text)), element("td", String(ticker.trades_24h)));
  return row;
}

// Ledger units as whole units.
function amount(units, decimals) {
  const digits = units.toString().padStart(decimals + 1, "0");
  const part = digits.slice(-decimals).replace(/0+$/, "");
  return digits.slice(0, -decimals) + (part ? `.${part}` : "");
}

function showDeployment() {
  const values = [["Chain", String(exchange.chain_id)], ["Contract", exchange.contract]];
  document.getElementById("deployment").replaceChildren(...values.map(([label, text]) => {
    const pair = document.createElement("div");
    pair.append(element("dt", label), element("dd", text));
    return pair;
  }));
}

let shown = [];

function showTrades(market, trades) {
  const known = new Set(shown.map(([one, trade]) => `${one.symbol} ${trade.trade_id}`));
  const fresh = trades.filter((trade) => !known.has(`${market.symbol} ${trade.trade_id}`));
  shown = [...fresh.map((trade) => [market, trade]), ...shown].sort((a, b) => b[1].at - a[1].at).slice(0, 12);
  document.getElementById("trades").replaceChildren(...shown.map(([one, trade]) => {
    const base = exchange.assets.find((asset) => asset.asset_id === one.base_asset);
    const quantity = amount(BigInt(trade.quantity) * BigInt(one.lot_size), base.decimals);
    const row = document.createElement("tr");
    row.className = trade.taker_side;
    const cells = [new Date(trade.at).toLocaleTimeString(), one.symbol, human(trade.price, one), quantity, trade.taker_side];
    row.append(...cells.map((text) => element("td", text)));
    return row;
  }));
}

function listen() {
  const stream = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/stream`);
  const state = document.getElementById("stream");
  const channels = new Map(exchange.markets.map((market) => [`trades.${market.symbol}`, market]));
  stream.onopen = () => {
    state.textContent = "live";
    stream.send(JSON.stringify({ op: "subscribe", id: "trades", channels: [...channels.keys()] }));
  };
  stream.onmessage = (message) => {
    const content = JSON.parse(message.data);
    if (content.trades) showTrades(channels.get(content.channel), content.trades);
  };
  stream.onclose = () => {
    state.textContent = "away";
    setTimeout(listen, 2000);
  };
}

async function refresh() {
  try {
    if (exchange === null) {
      exchange = await get("/v1/exchange");
      showDeployment();
      listen();
    }
    showStatus(await get("/v1/status"));
    const tickers = await Promise.all(exchange.markets.map((market) => get(`/v1/markets/${market.symbol}/ticker`)));
    document.getElementById("markets").replaceChildren(...tickers.map(showTicker));
  } catch (error) {
    document.getElementById("state").textContent = `away: ${error.message}`;
  }
  setTimeout(refresh, 2000);
}

refresh();
