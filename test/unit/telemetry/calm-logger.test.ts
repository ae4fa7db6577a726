import { describe, expect, it } from 'vitest'
import { calm } from '../../../src/telemetry/calm-logger.js'
import { silentLogger } from '../../../src/telemetry/logger.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

describe('debug lines', () => {
  it('repeat at most once a second for each cause, whatever the partition, and say how many were kept back', async () => {
    const clock = virtualClock()
    const lines: object[] = []
    const logger = calm({ ...silentLogger, debug: (fields) => void lines.push(fields) }, clock)
    for (let tenth = 0; tenth < 25; tenth += 1) {
      logger.debug({ partition: tenth, reason: 'timed-out' }, 'partition is fetched again later')
      if (tenth === 0) logger.debug({ partition: 0, reason: 'no-leader' }, 'partition is fetched again later')
      await clock.advance(100)
    }
    expect(lines).toEqual([
      { partition: 0, reason: 'timed-out' },
      { partition: 0, reason: 'no-leader' },
      { partition: 10, reason: 'timed-out', repeated: 9 },
      { partition: 20, reason: 'timed-out', repeated: 9 },
    ])
  })

  it('of many causes are kept apart, and graver lines are all written', () => {
    const lines: string[] = []
    const write = (_: object, message: string) => void lines.push(message)
    const logger = calm({ debug: write, info: write, warn: write, error: write }, virtualClock())
    for (const at of [logger.info, logger.warn, logger.error]) for (let i = 0; i < 2; i += 1) at({}, 'grave')
    for (let i = 0; i < 3_000; i += 1) logger.debug({}, `cause ${i}`)
    expect(lines).toHaveLength(3_006)
  })
})
