import { beforeEach, expect, test, vi } from "vitest";
import { standing } from "@/features/operator/Markets";
import { bearer, closeConsole, openConsole, renewSession, useConsole } from "@/features/operator/session";
import { useWallet, type Wallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import { ApiError } from "@/lib/api/errors";
import type { Address, Hex } from "@/lib/chain/typedData";

const A = `0x${"a1".repeat(20)}` as Address;
const B = `0x${"b2".repeat(20)}` as Address;

const walletOf = (address: Address): Wallet => ({
  kind: "injected",
  name: "",
  provider: null,
  signer: {
    address,
    asks: true,
    signText: async () => {
      at("signature");
      return "0x00" as Hex;
    },
    signTypedData: async () => "0x00" as Hex,
    send: async () => "0x00" as Hex,
  } as unknown as Wallet["signer"],
});
const connect = (address: Address) => useWallet.setState({ wallet: walletOf(address) });

/** When the user goes to another wallet. */
let switchesAt = "";
const at = (moment: string) => moment === switchesAt && connect(B);
const posted: string[] = [];

beforeEach(() => {
  vi.stubGlobal("location", { protocol: "https:" });
  switchesAt = "";
  connect(A);
  closeConsole();
  posted.length = 0;
  vi.spyOn(api, "nonce").mockResolvedValue({
    nonce: "n",
    domain: "here",
    chain_id: 1,
    console_minutes: 30,
  } as never);
  vi.spyOn(api, "post").mockImplementation(async (path: string) => {
    posted.push(path);
    if (path.endsWith("login")) at("login");
    return { token: "t" } as never;
  });
  vi.spyOn(api, "get").mockImplementation(async () => {
    at("session");
    return { address: A, roles: ["operator"] } as never;
  });
});

test("the console opens for the wallet that signed, and closes when another comes", async () => {
  await openConsole();
  expect(useConsole.getState().session?.address).toBe(A);
  connect(B);
  expect(useConsole.getState()).toMatchObject({ token: null, session: null });
});

test.each(["signature", "login", "session"])(
  "a wallet that changes at the %s gets no console of the one before it",
  async (moment) => {
    switchesAt = moment;
    await expect(openConsole()).rejects.toThrow("the wallet changed");
    expect(useConsole.getState()).toMatchObject({ token: null, session: null });
    expect(posted).toEqual(moment === "signature" ? [] : ["/v1/operator/login", "/v1/operator/logout"]);
  },
);

test("while the wallet asks, the page has the message that it asks for, and for how long it opens the console", async () => {
  const shown: unknown[] = [];
  const wallet = walletOf(A);
  const signText = async (text: string) => {
    shown.push(useConsole.getState().asked, text);
    if (shown.length > 2) throw new Error("rejected in the wallet");
    return "0x00" as Hex;
  };
  useWallet.setState({ wallet: { ...wallet, signer: { ...wallet.signer, signText } } });
  await openConsole();
  const [asked, text] = shown;
  expect(asked).toEqual({ text, minutes: 30 });
  expect(text).toContain("Open the operator's console for 30 minutes.");
  expect(useConsole.getState().asked).toBeNull();
  await expect(openConsole()).rejects.toThrow("rejected in the wallet");
  expect(useConsole.getState().asked).toBeNull();
});

test("a late answer of a session that was closed opens nothing", async () => {
  await openConsole();
  const renewed = renewSession();
  closeConsole();
  useConsole.setState({ token: "another", address: A });
  await renewed;
  expect(useConsole.getState().session).toBeNull();
});

/** The exchange does not take the session any more, and tells so as `lib/api` does. */
async function ended(until: number): Promise<void> {
  vi.spyOn(api, "get").mockResolvedValue({ address: A, roles: ["operator"], until } as never);
  await openConsole();
  vi.spyOn(api, "get").mockImplementation(async (_path, carried) => {
    carried?.ended();
    throw new ApiError(401, "unauthenticated", "the session is unknown or has ended: sign in again");
  });
  await expect(renewSession()).rejects.toThrow("has ended");
}

test("a session that the exchange ended before its time is closed, and says that the role may be gone", async () => {
  await ended(Date.now() + 600_000);
  expect(useConsole.getState()).toMatchObject({ token: null, session: null });
  expect(useConsole.getState().closed).toContain("role is gone");
});

test("a session whose time was over says so", async () => {
  await ended(Date.now() - 1);
  expect(useConsole.getState().closed).toContain("time was over");
});

test("a role that is gone closes the console in the exchange's words, also when other readings are refused after", async () => {
  await openConsole();
  const other = bearer();
  vi.spyOn(api, "get").mockRejectedValue(new ApiError(403, "forbidden", "it has no role here"));
  await expect(renewSession()).rejects.toThrow("no role");
  other.ended();
  expect(useConsole.getState().closed).toBe("it has no role here");
});

test("an engine that is away makes the markets stale, however fresh the answer", () => {
  expect(standing("live", { live: false })).toBe("stale");
  expect(standing("live", { live: true })).toBe("live");
  expect(standing("syncing", null)).toBe("syncing");
});
