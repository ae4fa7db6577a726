import { defineConfig, type ViteUserConfig } from 'vitest/config'
import shared from './vitest.config.js'

/** The alarm example: its rules, its services over a store, and the demo, also killed. Node only. */
export default defineConfig({
  ...(shared.resolve === undefined ? {} : { resolve: shared.resolve }),
  test: { ...(shared as ViteUserConfig).test, include: ['test/examples/alarm/**/*.test.ts'], exclude: [] },
})
