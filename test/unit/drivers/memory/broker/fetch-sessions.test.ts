import { beforeEach, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../../src/connection/broker-error.js'
import type { FetchPartition, FetchSessionPart } from '../../../../../src/connection/requests/fetch.js'
import { fetchRequest, records, setUp } from '../fixture.js'

let world: Awaited<ReturnType<typeof setUp>>

beforeEach(async () => {
  world = await setUp({ brokers: 1 })
  world.cluster.createTopic('t', { partitions: 3 })
})

const place = (partition: number, fetchOffset = 0): FetchPartition => ({
  ...fetchRequest('t', fetchOffset).partitions[0]!,
  partition,
})

async function ask(
  id: number,
  epoch: number,
  partitions: readonly FetchPartition[] = [],
  part: Partial<FetchSessionPart> = {},
) {
  const session = { id, epoch, forgotten: [], isById: false, all: new Map(), topicOf: () => 't', ...part }
  const answer = await world.ask(0, fetchRequest('t', 0, { partitions, session, maxWaitMs: 10 }), 'fetch')
  const told = answer.partitions.map(({ partition, batches }) => [partition, batches.length])
  return { errorCode: answer.errorCode, id: answer.sessionId ?? 0, told }
}

describe('fetch sessions of the memory cluster', () => {
  it('remember what was asked, and answer from then on what is new', async () => {
    const { id, told } = await ask(0, 0, [place(0), place(1)])
    expect(id).toBeGreaterThan(0)
    expect(told).toEqual([
      [0, 0],
      [1, 0],
    ])
    expect(await ask(id, 1)).toEqual({ errorCode: 0, id, told: [] })
    await world.produce({ topic: 't', partition: 1, records: records('a') })
    expect((await ask(id, 2)).told).toEqual([[1, 1]])
    // Until it is told otherwise it goes on with the place that it knows.
    expect((await ask(id, 3)).told).toEqual([[1, 1]])
    expect((await ask(id, 4, [place(1, 1)])).told).toEqual([])
    expect((await ask(id, 5, [place(2)])).told).toEqual([[2, 0]])
    await world.produce({ topic: 't', partition: 0, records: records('b') })
    expect((await ask(id, 6, [], { forgotten: [place(0)] })).told).toEqual([])
  })

  it('tell an error each time, and all of the partition once it is over', async () => {
    const { id } = await ask(0, 0, [place(0, 5)])
    const refused = (await ask(id, 1)).told
    expect(refused).toEqual([[0, 0]])
    expect((await ask(id, 2)).told).toEqual(refused)
    expect((await ask(id, 3, [place(0, 0)])).told).toEqual([[0, 0]])
    expect((await ask(id, 4)).told).toEqual([])
  })

  it('refuse another epoch, a session that they do not know, and ids in place of names', async () => {
    const { id } = await ask(0, 0, [place(0)])
    expect((await ask(id, 2)).errorCode).toBe(brokerCode.INVALID_FETCH_SESSION_EPOCH)
    expect((await ask(id + 1, 1)).errorCode).toBe(brokerCode.FETCH_SESSION_ID_NOT_FOUND)
    expect((await ask(id, 1, [], { isById: true })).errorCode).toBe(brokerCode.FETCH_SESSION_TOPIC_ID_ERROR)
    expect((await ask(id, 1)).errorCode).toBe(brokerCode.NONE)
    expect((await ask(id, 1)).errorCode).toBe(brokerCode.INVALID_FETCH_SESSION_EPOCH)
  })

  it('end when another one is asked for in their place, and when their broker is restarted', async () => {
    const first = await ask(0, 0, [place(0)])
    const second = await ask(first.id, 0, [place(0)])
    expect(second.id).not.toBe(first.id)
    expect((await ask(first.id, 1)).errorCode).toBe(brokerCode.FETCH_SESSION_ID_NOT_FOUND)
    world.cluster.faults.stopBroker(0)
    world.cluster.faults.startBroker(0)
    await world.clock.advance(100)
    expect((await ask(second.id, 1)).errorCode).toBe(brokerCode.FETCH_SESSION_ID_NOT_FOUND)
  })

  it('are a thousand at most, and what nobody uses makes room after two minutes', async () => {
    const ids = new Set<number>()
    for (let made = 0; made < 1_000; made += 1) ids.add((await ask(0, 0, [place(0)])).id)
    expect(ids.size).toBe(1_000)
    expect((await ask(0, 0, [place(0)])).id).toBe(0)
    await world.clock.advance(130_000)
    expect((await ask(0, 0, [place(0)])).id).toBeGreaterThan(0)
  })
})
