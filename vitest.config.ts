import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'

const source = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url))

/** Compiles the whole library several times: `npm run test:docs` does so. */
export const wholeLibrary = 'test/types/public-types.test.ts'

export default defineConfig({
  resolve: {
    alias: [
      { find: /^tidemark$/, replacement: source('index.ts') },
      { find: /^tidemark\/([\w-]+)$/, replacement: source('$1.ts') },
    ],
  },
  test: {
    // Examples have runs of their own: `npm run test:docs` and `npm run test:alarm`.
    include: ['test/{unit,types,package,contract,simulation}/**/*.test.ts'],
    exclude: [...configDefaults.exclude, wholeLibrary],
    // Longer than what a test waits for, so that it is the wait which tells what did not come.
    testTimeout: 90_000,
    expect: { poll: { timeout: 60_000 } },
    env: { TIDEMARK_LOG: 'silent' },
    setupFiles: ['test/support/equal-buffers.ts'],
    // No file leaves anything behind in a module, so a worker loads each module once and not once a file.
    isolate: false,
    // Left to itself vitest keeps one core free: on two cores that is half the machine.
    maxWorkers: '100%',
  },
})
