import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { include: ['test/package/*.packed.ts'], testTimeout: 240_000, fileParallelism: false },
})
