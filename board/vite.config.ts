import { defineConfig } from 'vitest/config';

// For `npm run dev` the API comes from a board that runs elsewhere.
const board = 'http://127.0.0.1:8080';

export default defineConfig({
  server: { proxy: { '/api': board } },
  build: {
    // Nothing may be inlined as data: or as a script, the CSP of the server forbids it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: { include: ['tests/unit/**/*.test.ts'], environment: 'node' },
});
