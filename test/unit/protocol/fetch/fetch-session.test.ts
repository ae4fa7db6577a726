import { beforeEach, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import type { FetchPartition } from '../../../../src/connection/requests/fetch.js'
import { FetchSession } from '../../../../src/protocol/fetch/fetch-session.js'

let session: FetchSession

beforeEach(() => {
  session = new FetchSession()
})

const place = (partition: number, fetchOffset = 0, topicId: string | null = 'id-of-t'): FetchPartition => ({
  ...{ topic: 't', topicId, partition, currentLeaderEpoch: 3, fetchOffset, partitionMaxBytes: 100 },
})

const wanted = (...places: FetchPartition[]) => new Map(places.map((each) => [`${each.topic}-${each.partition}`, each]))

/** What the next request says: session, what it names, what it forgets. */
function ask(...places: FetchPartition[]) {
  const { partitions, session: part } = session.next(wanted(...places))
  return {
    session: [part.id, part.epoch],
    named: partitions.map(({ partition, fetchOffset }) => [partition, fetchOffset]),
    forgotten: part.forgotten.map(({ partition }) => partition),
  }
}

const answer = (errorCode: number = brokerCode.NONE, sessionId = 0) => session.answered({ errorCode, sessionId })

function open(...places: FetchPartition[]) {
  ask(...places)
  answer(brokerCode.NONE, 7)
}

describe('a fetch session', () => {
  it('is asked for with all that is wanted', () => {
    expect(ask(place(0), place(1))).toEqual({
      ...{ session: [0, 0], forgotten: [] },
      named: [
        [0, 0],
        [1, 0],
      ],
    })
  })

  it('names from then on what is new, what has another place, and what is wanted no more', () => {
    open(place(0), place(1))
    expect(ask(place(0), place(1))).toEqual({ session: [7, 1], named: [], forgotten: [] })
    answer(brokerCode.NONE, 7)
    expect(ask(place(1, 5), place(2))).toEqual({
      ...{ session: [7, 2], forgotten: [0] },
      named: [
        [1, 5],
        [2, 0],
      ],
    })
    answer(brokerCode.NONE, 7)
    expect(ask(place(0), place(1, 5), place(2))).toEqual({ session: [7, 3], named: [[0, 0]], forgotten: [] })
  })

  it('has nothing to name while the very same is wanted, and names all of it once an answer is missing', () => {
    const same = wanted(place(0), place(1))
    const named = () => session.next(same).partitions.map(({ partition }) => partition)
    expect(named()).toEqual([0, 1])
    answer(brokerCode.NONE, 7)
    expect(named()).toEqual([])
    answer(brokerCode.NONE, 7)
    expect(named()).toEqual([])
    // No answer came.
    expect(named()).toEqual([0, 1])
  })

  it('names a place also when only its leader epoch or its limit has changed', () => {
    open(place(0), place(1), place(2))
    const changed = [{ ...place(0), currentLeaderEpoch: 4 }, { ...place(1), partitionMaxBytes: 5 }, place(2)]
    expect(ask(...changed).named).toEqual([
      [0, 0],
      [1, 0],
    ])
  })

  it('goes on without one where the broker has no room, and asks for one each time', () => {
    ask(place(0))
    answer(brokerCode.NONE, 0)
    expect(ask(place(0))).toEqual({ session: [0, 0], named: [[0, 0]], forgotten: [] })
  })

  it('says all anew after a request without an answer, in place of the session that the broker may have', () => {
    open(place(0), place(1))
    ask(place(0, 9), place(1))
    // No answer came.
    expect(ask(place(0, 9), place(1))).toEqual({
      ...{ session: [7, 0], forgotten: [] },
      named: [
        [0, 9],
        [1, 0],
      ],
    })
    // Nor now.
    expect(ask(place(1))).toEqual({ session: [7, 0], named: [[1, 0]], forgotten: [] })
    answer(brokerCode.NONE, 8)
    expect(ask(place(1))).toEqual({ session: [8, 1], named: [], forgotten: [] })
  })

  it('is begun anew at once when the broker knows it no more, or takes its epoch for another', () => {
    for (const [code, id] of [
      [brokerCode.FETCH_SESSION_ID_NOT_FOUND, 0],
      [brokerCode.INVALID_FETCH_SESSION_EPOCH, 7],
      [brokerCode.FETCH_SESSION_TOPIC_ID_ERROR, 7],
      [brokerCode.UNKNOWN_SERVER_ERROR, 7],
    ] as const) {
      session = new FetchSession()
      open(place(0))
      ask(place(0, 1))
      expect(answer(code)).toBe('anew')
      expect(ask(place(0, 1))).toEqual({ session: [id, 0], named: [[0, 1]], forgotten: [] })
    }
  })

  it('leaves an error to whoever asked when all was said, so that a broker that refuses is not asked without a pause', () => {
    ask(place(0))
    expect(answer(brokerCode.UNKNOWN_SERVER_ERROR)).toBe('counts')
    expect(ask(place(0)).session).toEqual([0, 0])
    expect(answer(brokerCode.FETCH_SESSION_ID_NOT_FOUND)).toBe('counts')
  })

  it('is in doubt when an answer comes under another id', () => {
    open(place(0))
    ask(place(0))
    expect(answer(brokerCode.NONE, 0)).toBe('counts')
    expect(ask(place(0))).toEqual({ session: [7, 0], named: [[0, 0]], forgotten: [] })
  })

  it('is begun anew when a topic was made anew under its name, which brokers without ids would take for the former', () => {
    open(place(0), place(1))
    expect(ask(place(0, 0, 'id-of-another'), place(1))).toMatchObject({ session: [7, 0], forgotten: [] })
  })

  it('is begun anew when the ids of all topics become known, or one is not', () => {
    open(place(0))
    expect(ask(place(0), { ...place(0, 0, null), topic: 'u' }).session).toEqual([7, 0])
    answer(brokerCode.NONE, 8)
    expect(ask(place(0)).session).toEqual([8, 0])
  })

  it('names any topic that its answers may be of', () => {
    open(place(0))
    const { session: part } = session.next(wanted(place(0)))
    expect([part.topicOf('id-of-t'), part.topicOf('other')]).toEqual(['t', undefined])
    expect([...part.all.values()]).toEqual([place(0)])
  })
})
