import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planCapacity, type Workload } from 'tidemark/capacity'

const hours = 3_600_000
/** An alarm pipeline in its busiest hour. */
const alarms: Workload = {
  messagesPerSecond: 20_000,
  messageBytes: 700,
  retentionMs: 72 * hours,
  groups: 3,
  perProcess: 3_000,
}

const codes = (workload: Workload) => planCapacity(workload).warnings.map(({ code }) => code)

describe('planCapacity', () => {
  it('reckons disk, network, processes and partitions of a known example', () => {
    const plan = planCapacity(alarms)
    expect(plan.storageBytes / 1e12).toBeCloseTo(15.24, 2)
    expect(plan.inBytesPerSecond / 1e6).toBeCloseTo(14 * 1.4 * 3, 6)
    expect(plan.outBytesPerSecond / 1e6).toBeCloseTo(14 * 1.4 * 5, 6)
    expect(plan.processes).toBe(10)
    expect(plan.binding).toMatchObject({ name: 'processes', partitions: 11 })
    expect(plan.partitions).toBe(12)
  })

  it('names the term that decides, and its formula', () => {
    const { binding } = planCapacity({ ...alarms, perProcess: undefined, handler: { ms: 5, atOnce: 4 } })
    expect(binding).toEqual({
      name: 'handling',
      partitions: 35,
      formula: '20000 messages/s × 1.4 ÷ 800 messages/s (4 at once, 5 ms each)',
    })
    expect(planCapacity({ ...alarms, messageBytes: 100_000 }).binding.name).toBe('producing')
    expect(planCapacity({ ...alarms, processes: 40 }).binding).toMatchObject({ name: 'processes', partitions: 40 })
  })

  it('takes a number of partitions that divides well, and never fewer than needed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 }), (processes) => {
        const { partitions } = planCapacity({ ...alarms, processes, messagesPerSecond: 1 })
        expect(partitions).toBeGreaterThanOrEqual(processes)
        expect(partitions).toBeLessThanOrEqual(Math.ceil(processes * 1.2))
      }),
    )
    expect(planCapacity({ ...alarms, processes: 11 }).partitions).toBe(12)
    expect(planCapacity({ ...alarms, processes: 23 }).partitions).toBe(24)
  })

  it('tells how many handlers run at once, by rate and time', () => {
    expect(planCapacity({ ...alarms, handler: { ms: 20 } }).inFlight).toBe(400)
    expect(planCapacity(alarms).inFlight).toBeNull()
  })

  it('tells how long an outage takes to be made up for, at the peak rate', () => {
    const { catchUpMs } = planCapacity({ ...alarms, processes: 10, outageMs: hours })
    // 10 processes do 30,000 a second, a third more than the peak: two hours.
    expect(catchUpMs).toBe(2 * hours)
    expect(planCapacity({ ...alarms, processes: 6 }).catchUpMs).toBeNull()
    expect(codes({ ...alarms, processes: 6 })).toEqual(
      expect.arrayContaining(['never-catches-up', 'processes-too-few']),
    )
  })

  it('counts brokers so that the others bear it while one is down, and names the tightest limit', () => {
    const brokers = { count: 3, diskBytes: 4e12, bytesPerSecond: 125e6 }
    const plan = planCapacity({ ...alarms, brokers })
    expect(plan.limits[0]).toMatchObject({ limit: 'disk', formula: 'storage ÷ 2 ÷ disk of a broker' })
    expect(plan.limits[0]?.used).toBeCloseTo(1.905, 3)
    expect(plan.brokers).toBe(5)
    expect(codes({ ...alarms, brokers })).toContain('brokers-too-few')
    expect(planCapacity({ ...alarms, brokers: { ...brokers, count: 5 } }).limits[0]?.used).toBeLessThan(1)
    expect(codes({ ...alarms, brokers: { ...brokers, count: 5 } })).not.toContain('brokers-too-few')
  })

  it('needs as many brokers as leave every limit below one, for any workload', () => {
    const workloads = fc.record({
      messagesPerSecond: fc.double({ min: 1, max: 1e6, noNaN: true }),
      messageBytes: fc.integer({ min: 1, max: 1e6 }),
      retentionMs: fc.integer({ min: 1, max: 1e10 }),
      brokers: fc.record({
        diskBytes: fc.integer({ min: 1e9, max: 1e13 }),
        bytesPerSecond: fc.integer({ min: 1e6, max: 1e10 }),
      }),
    })
    fc.assert(
      fc.property(workloads, (workload) => {
        const { brokers } = planCapacity(workload)
        const { limits } = planCapacity({
          ...workload,
          brokers: { ...workload.brokers, count: Math.min(brokers, 10_000) },
        })
        if (brokers <= 10_000) expect(limits[0]?.used).toBeLessThanOrEqual(1 + 1e-9)
      }),
    )
  })

  it.each<[string, Partial<Workload>]>([
    ['few-replicas', { replicationFactor: 1 }],
    ['brokers-fewer-than-replicas', { brokers: { count: 2 } }],
    ['keyed-without-growth', {}],
    ['little-headroom', { headroom: 0.1 }],
    ['processes-too-few', { processes: 3 }],
    ['outage-outlives-records', { outageMs: 80 * hours }],
    ['never-catches-up', { processes: 3 }],
    ['partition-too-large', { retentionMs: 1_000 * hours }],
    ['brokers-too-few', { brokers: { diskBytes: 1e9 } }],
  ])('warns of %s', (code, some) => {
    const { warnings } = planCapacity({ ...alarms, ...some })
    expect(warnings.find((warning) => warning.code === code)?.message).toMatch(/[;:,]/)
  })

  it('has nothing to warn of where all is as it should be', () => {
    const roomy = {
      ...alarms,
      retentionMs: 24 * hours,
      growth: 2,
      brokers: { count: 5, diskBytes: 4e12, bytesPerSecond: 125e6 },
    }
    expect(codes(roomy)).toEqual([])
  })

  it('says what is wrong with a workload, all of it at once', () => {
    const wrong = {
      messagesPerSecond: 0,
      messageBytes: NaN,
      handler: { atOnce: 0.5 },
      brokers: { disk: 1 },
      groups: -1,
      factor: 3,
    }
    expect(() => planCapacity(wrong as unknown as Workload)).toThrow(
      [
        'planCapacity: 8 invalid option(s)',
        '  retentionMs: is missing; write a number above 0',
        '  messagesPerSecond: is 0; write a number above 0',
        '  messageBytes: is NaN; write a number above 0',
        '  groups: is -1; write a whole number from 0 to 10000',
      ].join('\n'),
    )
    for (const nothing of [null, undefined, 3, []])
      expect(() => planCapacity(nothing as unknown as Workload)).toThrow('write an object with any of')
    expect(() => planCapacity({ ...alarms, messagesPerSecond: Infinity })).toThrow(
      'is Infinity; write a number above 0',
    )
    expect(() => planCapacity({ ...alarms, handler: {} as never })).toThrow('handler.ms: is missing')
  })
})
