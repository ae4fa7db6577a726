import { defineConfig, type ViteUserConfig } from 'vitest/config'
import shared, { alarmPipeline } from './vitest.config.js'

/** The alarm example as a whole: its services over a store, and the demo, also killed. Node only. */
export default defineConfig({
  ...(shared.resolve === undefined ? {} : { resolve: shared.resolve }),
  test: { ...(shared as ViteUserConfig).test, include: alarmPipeline, exclude: [] },
})
