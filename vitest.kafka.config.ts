import { defineConfig } from 'vitest/config'
import { isFull } from './test/support/long-profile.js'
import shared from './vitest.config.js'

export default defineConfig({
  ...(shared.resolve === undefined ? {} : { resolve: shared.resolve }),
  test: {
    include: ['test/kafka/**/*.test.ts'],
    // Minutes in a browser, with clusters of their own, or beside an Elasticsearch: in the long profile.
    exclude: isFull ? [] : ['console', 'console-killed', 'alarm-search'].map((name) => `test/kafka/${name}.test.ts`),
    globalSetup: ['test/kafka/support/shared-cluster.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 300_000,
  },
})
