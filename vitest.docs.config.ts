import { defineConfig, type ViteUserConfig } from 'vitest/config'
import shared, { wholeLibrary } from './vitest.config.js'

/** What is written for people: every snippet compiles, every example but the alarm pipeline runs, every public name is explained. */
export default defineConfig({
  ...(shared.resolve === undefined ? {} : { resolve: shared.resolve }),
  test: {
    ...(shared as ViteUserConfig).test,
    include: ['test/docs/**/*.test.ts', 'test/examples/{*,nestjs/*}.test.ts', 'examples/**/*.test.ts', wholeLibrary],
    exclude: [],
    testTimeout: 300_000,
  },
})
