import { format, packed, type ClientData, type ProofData } from '../../../test/prove/proof-data.js'

export const records = 12_000

/** A run as it might have been, with every state somewhere and a moment at which nothing was known. */
export function fabricatedProof(): ProofData {
  return {
    format,
    run: { seed: 7, startedAt: '2030-01-02T03:04:05.678Z', kafka: '4.2.0', nodes: 3, node: 'v20.19.0', cores: 2 },
    load: { records, perSecond: 200, partitions: 10, keys: 100, valueBytes: 100 },
    faults: [
      { kind: 'answers-lost', target: '2 % of answers lost', fromMs: 4_000, toMs: 14_000, count: 31 },
      { kind: 'killed', target: '<b>leader</b> killed', fromMs: 40_000, toMs: 61_000, count: 1 },
    ],
    clients: [
      client('kafkajs', (record) => (record < 1_000 || record > 1_900 ? 0 : 1 + (record % 7))),
      client('tidemark', () => 0),
    ],
  }
}

function client(name: string, stateOf: (record: number) => number): ClientData {
  const map = Uint8Array.from({ length: records }, (_, record) => stateOf(record))
  const count = (...states: readonly number[]) => map.filter((state) => states.includes(state)).length
  const running = (...states: readonly number[]) =>
    Array.from(
      { length: 120 },
      (_, sample) => map.subarray(0, (sample + 1) * 100).filter((state) => states.includes(state)).length,
    )
  const acknowledged = count(0, 1, 2)
  return {
    name,
    version: '1.2.3',
    settings: { acks: 'all', [`only ${name}`]: true },
    totals: {
      acknowledged,
      lost: count(1),
      doubled: count(2, 3),
      outOfOrder: 4,
      unknown: count(3, 4),
      notStored: count(5, 6),
    },
    acknowledgedLater: acknowledged - 120 * 50,
    every500ms: {
      acknowledged: new Array<number>(120).fill(50),
      lost: running(1),
      doubled: running(2, 3),
      lag: Array.from({ length: 120 }, (_, sample) => (sample === 60 ? null : sample)),
    },
    rebalances: [{ atMs: 26_000, tookMs: 9_100 }],
    map: packed(map),
  }
}
