import { beforeEach, expect, test, vi } from "vitest";
import { closeConsole, openConsole, renewSession, useConsole } from "@/features/operator/session";
import { useWallet, type Wallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
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
  vi.spyOn(api, "nonce").mockResolvedValue({ nonce: "n", domain: "here", chain_id: 1 } as never);
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

test("a late answer of a session that was closed opens nothing", async () => {
  await openConsole();
  const renewed = renewSession();
  closeConsole();
  useConsole.setState({ token: "another", address: A });
  await renewed;
  expect(useConsole.getState().session).toBeNull();
});
