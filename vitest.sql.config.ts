import { defineConfig } from 'vitest/config'
import shared from './vitest.config.js'

/** Real databases, and processes that are killed. `TIDEMARK_FULL=1` adds PostgreSQL and makes outages a minute long. */
export default defineConfig({
  ...(shared.resolve === undefined ? {} : { resolve: shared.resolve }),
  test: {
    include: ['test/sql/**/*.test.ts'],
    globalSetup: ['test/kafka/support/shared-cluster.ts'],
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 300_000,
    env: { TIDEMARK_LOG: 'silent' },
  },
})
