import { defineConfig } from 'vitest/config'
import { isFull } from './test/support/long-profile.js'
import shared from './vitest.config.js'

export default defineConfig({
  ...(shared.resolve === undefined ? {} : { resolve: shared.resolve }),
  test: {
    include: ['test/kafka/**/*.test.ts'],
    // Minutes in a browser, and with clusters of their own: in the long profile.
    exclude: isFull ? [] : ['test/kafka/console.test.ts', 'test/kafka/console-killed.test.ts'],
    globalSetup: ['test/kafka/support/shared-cluster.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 300_000,
  },
})
