import { defineConfig } from 'tsup'

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
    'src/registry.ts',
    'src/avro.ts',
    'src/json-schema.ts',
    'src/auth.ts',
    'src/prometheus.ts',
    'src/capacity.ts',
  ],
  format: ['esm', 'cjs'],
  target: 'node20',
  dts: true,
  sourcemap: true,
  clean: true,
  splitting: true,
  // `import.meta.url` in CommonJS.
  shims: true,
})
