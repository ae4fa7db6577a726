import { expect, it } from 'vitest'
import { readerNames } from '../../../examples/alarm/services.js'
import { formatVerdicts } from '../../../examples/alarm/verify/verify.js'
import { chaos } from '../../../examples/alarm/workloads/chaos.js'
import { withStores } from '../../../examples/alarm/workloads/fresh.js'
import { workloads } from '../../../examples/alarm/workloads/run-workload.js'

it('services that are cut off again and again end with the alerts and windows of a run without faults, and every promise holds', async () => {
  const { died, verdicts } = await chaos(1_000, 1, withStores)
  for (const service of readerNames) expect(died.filter((one) => one === service)).toHaveLength(2)
  expect(verdicts.find(({ number }) => number === 6)?.looked).toMatch(/^[1-9]\d+ alerts/)
  const broken = verdicts.filter(({ state }) => state === 'broken')
  expect(broken, formatVerdicts(verdicts)).toEqual([])
}, 280_000)

it('a storm of the hosts of a rack is one cause and as many notices as it may have, with each alert in its window', async () => {
  const options = { brokers: undefined, seed: 1, hosts: 100, rows: 0, backlog: 0, spread: new Map() }
  const { text, holds } = await workloads['w3']!(options)
  expect(holds, text).toBe(true)
}, 280_000)
