import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import {
  clock,
  cluster,
  intervalMs,
  sessionMs,
  openCluster,
  member,
  dies,
  all,
  heldBy,
  lost,
  stopAll,
} from './consumer-members.js'

describe('a member with an instance id', () => {
  const instance = { groupInstanceId: 'i' }

  it('that stops keeps its partitions for its successor, who has them at once', async () => {
    const witness = member()
    await witness.start()
    const before = member(instance)
    await before.start()
    await clock.advance(3 * intervalMs)
    const had = before.held()
    expect(had).toHaveLength(3)
    await before.stop()
    await clock.advance(intervalMs)
    const after = member(instance)
    await after.start(500)
    await clock.advance(100)
    expect(after.held()).toEqual(had)
    expect(lost(witness)).toBe(0)
    await stopAll(witness, after)
  })

  it('whose process died is replaced when its session is over, and says meanwhile what it waits for', async () => {
    await dies(instance)
    const diedAt = clock.now()
    const after = member(instance)
    const started = after.consumer.start(clock.now() + 60_000)
    await clock.advance(100)
    expect(after.consumer.facts()).toMatchObject({ hasAssignment: false, state: 'waiting-for-predecessor' })
    await clock.advance(sessionMs - 2_100)
    expect(after.consumer.facts().hasAssignment).toBe(false)
    await clock.runUntil(started)
    await clock.advance(100)
    expect(clock.now() - diedAt).toBeLessThan(sessionMs + intervalMs + 200)
    expect(after.consumer.facts().state).toBe('stable')
    expect(heldBy(after)).toEqual(all)
    await stopAll(after)
  })

  it('whose join got no answer is not taken for its own rival', async () => {
    cluster.faults.loseNextAnswer({ api: 'consumerGroupHeartbeat' })
    const one = member(instance)
    await one.start(2_000)
    await clock.advance(100)
    expect(heldBy(one)).toEqual(all)
    await stopAll(one)
  })

  it('whose join got no answer withdraws it until somebody has taken that', async () => {
    const heartbeats = { api: 'consumerGroupHeartbeat' } as const
    cluster.faults.loseNextAnswer(heartbeats)
    cluster.faults.failNext({ ...heartbeats, nth: 3 }, brokerCode.NOT_COORDINATOR)
    const one = member(instance)
    await one.start(4_000)
    await clock.advance(100)
    expect(heldBy(one)).toEqual(all)
    await stopAll(one)
  })

  it('that another process has ends with an error that says so', async () => {
    const one = member(instance)
    await one.start()
    const two = member(instance)
    await expect(two.start(120_000)).rejects.toThrow(/another process is a member .* instance id of its own/)
    expect(heldBy(one)).toEqual(all)
    await stopAll(one)
  })
})

describe("under 'auto' a member", () => {
  it.each([
    [1, 'consumer'],
    [0, 'classic'],
  ] as const)('takes with group.version %i the protocol %s', async (groupVersion, type) => {
    openCluster({ groupVersion })
    const one = member({ groupProtocol: 'auto' })
    await one.start()
    await clock.advance(100)
    expect(cluster.group('g')?.type).toBe(type)
    expect(heldBy(one)).toEqual(all)
    await stopAll(one)
  })

  it('that is stopped before the cluster has told ends', async () => {
    for (const node of [0, 1, 2]) cluster.faults.silence(node)
    const one = member({ groupProtocol: 'auto' })
    const started = one.consumer.start(clock.now() + 60_000).catch((error: unknown) => error)
    await clock.advance(1_000)
    await one.stop(500)
    expect(await started).toBeInstanceOf(Error)
  })
})

describe('a cluster without group.version 1', () => {
  it('refuses the consumer protocol with what to do', async () => {
    openCluster({ groupVersion: 0 })
    await expect(member().start()).rejects.toThrow(/group\.version is below 1.*classic/)
  })
})
