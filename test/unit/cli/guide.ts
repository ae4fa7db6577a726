import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MemoryCluster } from 'tidemark/memory'
import { noHeaders } from '../../../src/message/record.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { dlq, failedAt, put } from '../redrive/dead-letters.js'
import { billing, tidemark } from './command-line.js'

const block = /```console\n\$ (?:npx )?tidemark ([^\n]+)\n([^`]*)```/g

/** Times are others at each run; the guide has one of them. */
const moments = /\d{4}-\d{2}-\d{2}T[\d:.]+Z/g
const ages = /\b\d+ m?s\b/g

export interface Shown {
  readonly words: string
  readonly shown: string
  readonly printed: string
}

/** What the guide shows of each command, and what it prints. */
export async function shownAndPrinted(guide: string): Promise<readonly Shown[]> {
  const cluster = await billing()
  cluster.createTopic(dlq, { partitions: 2 })
  put(cluster, [{ headers: failedAt(0) }, { headers: failedAt(3, { 'td-reason': 'undecodable' }) }])
  const directory = withTopics()
  const found: Shown[] = []
  for (const [, words, shown] of guide.matchAll(block)) {
    prepare(cluster, words as string)
    const around = { directory, environment: { KAFKA_BROKERS: 'localhost:9092' } }
    const { out, err } = await tidemark(cluster, words as string, around)
    found.push({ words: words as string, shown: shown as string, printed: err + out })
  }
  await cluster.close()
  return found
}

export function timeless(text: string): string {
  return text.replace(moments, '<moment>').replace(ages, '<age>').replace(/ +/g, ' ')
}

/** A transaction that hangs is there when it is shown, and does not hold up what is shown before. */
function prepare(cluster: MemoryCluster, words: string): void {
  if (!words.startsWith('transactions')) return
  const record = { key: null, value: Buffer.from('x'), headers: noHeaders, timestamp: cluster.runtime.clock.wallTime() }
  cluster.appendTransaction('orders', 1, [record], 'open')
}

function withTopics(): string {
  const directory = temporaryFolder('cli-guide')
  const topics = [
    { name: 'orders', partitions: 4 },
    { name: 'orders.dlq', deadLettersOf: 'orders', configs: { 'retention.ms': 1_209_600_000 } },
  ]
  writeFileSync(join(directory, 'tidemark.config.json'), JSON.stringify({ topics }))
  return directory
}
