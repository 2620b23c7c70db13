/// <reference types="vitest/config" />
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import brand from "./brand.json" with { type: "json" };
import { worker } from "./plugins/worker.ts";

const api = process.env.BIZZAN_URL ?? "http://127.0.0.1:8000";

/** The document says the brand's name and shows its logo before any script runs. */
const branded: Plugin = {
  name: "brand",
  transformIndexHtml: (html) => html.replaceAll("%BRAND%", brand.name).replaceAll("%LOGO%", brand.logo),
};

export default defineConfig({
  plugins: [react(), tailwindcss(), branded, worker],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: fileURLToPath(new URL("../backend/web/built", import.meta.url)),
    emptyOutDir: true,
    manifest: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  // Vite's own server is for development: it forwards to a running API.
  server: { proxy: { "/v1": { target: api, ws: true }, "/openapi.json": api } },
  test: { include: ["tests/**/*.test.ts", "tests/**/*.test.tsx"] },
});
