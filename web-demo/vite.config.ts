import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Shared memory exists only where the page is cross-origin isolated.
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  // Relative: the built page works from any folder of any server.
  base: "./",
  // A file that is not there answers 404, not index.html: the page looks for optional files.
  appType: "mpa",
  plugins: [react(), tailwindcss()],
  // It finds its worker and wheels beside its own JavaScript, so it must stay where it is.
  optimizeDeps: { exclude: ["@remotemedia/web"] },
  worker: { format: "es" },
  build: { target: "es2022", chunkSizeWarningLimit: 900 },
  server: { headers: isolation, fs: { allow: [".."] } },
  preview: { headers: isolation },
  test: { include: ["test/**/*.test.ts"] },
});
