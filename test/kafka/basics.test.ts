import { expect, inject, it } from 'vitest'
import { basics } from '../examples/basics-output.js'
import { runExample } from '../examples/run-example.js'

const onKafka = basics.filter(([file]) => !file.startsWith('06'))

it.each(onKafka)('basics/%s shows the same on a real Kafka', async (file, output) => {
  // One broker is worth a warning, which is no part of what an example shows.
  const env = { KAFKA_BROKERS: inject('kafkaBrokers').join(','), TIDEMARK_LOG: 'error' }
  const ended = await runExample(`basics/${file}`, { env })
  expect(ended.output).toMatch(output)
  expect(ended.code).toBe(0)
})
