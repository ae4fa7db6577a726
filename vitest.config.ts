import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'

const source = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url))

/** A quarter of the time that a quick look at everything takes: `npm run test:alarm` tries it. */
export const alarmPipeline = ['test/examples/alarm/{demo,demo-killed,pipeline,services,store}.test.ts']

export default defineConfig({
  resolve: {
    alias: [
      { find: /^tidemark$/, replacement: source('index.ts') },
      { find: /^tidemark\/([\w-]+)$/, replacement: source('$1.ts') },
    ],
  },
  test: {
    include: ['test/{unit,types,package,contract,simulation,examples}/**/*.test.ts', 'examples/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...alarmPipeline],
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
