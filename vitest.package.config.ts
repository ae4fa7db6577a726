import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/package/*.packed.ts'],
    // Other versions of Node come from a registry: by hand, and in the long profile.
    exclude: process.env['TIDEMARK_FULL'] === '1' ? [] : ['test/package/node-versions.packed.ts'],
    testTimeout: 240_000,
    fileParallelism: false,
  },
})
