import { defineConfig } from 'tsup'
import { commonjs } from './build/commonjs.js'

const { plugin, esbuildPlugin } = commonjs()

export default defineConfig({
  entry: [
    'src/index.ts',
    'src/memory.ts',
    'src/testing.ts',
    'src/driver.ts',
    'src/transactions.ts',
    'src/kafkajs.ts',
    'src/dedupe.ts',
    'src/outbox.ts',
    'src/sql.ts',
    'src/redrive.ts',
    'src/event-time.ts',
    'src/pattern.ts',
    'src/health.ts',
    'src/lag.ts',
    'src/degrade.ts',
    'src/registry.ts',
    'src/avro.ts',
    'src/json-schema.ts',
    'src/auth.ts',
    'src/prometheus.ts',
    'src/opentelemetry.ts',
    'src/capacity.ts',
    'src/admin.ts',
  ],
  format: ['esm', 'cjs'],
  target: 'node20',
  dts: true,
  sourcemap: true,
  clean: true,
  splitting: false,
  plugins: [plugin],
  esbuildPlugins: [esbuildPlugin],
  // `import.meta.url` in CommonJS.
  shims: true,
})
