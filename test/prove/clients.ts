import { createRequire } from 'node:module'
import { safest } from '../faults/kafkajs-workload.js'
import { openTidemark } from '../faults/tidemark-workload.js'
import type { OpenWorkload } from '../faults/workload.js'
import { openAwaitedKafkajs } from './awaited-kafkajs.js'

export type ClientName = 'kafkajs' | 'tidemark'

export interface ProvenClient {
  readonly name: ClientName
  readonly version: string
  readonly open: OpenWorkload
  /** As they are printed beside each other. */
  readonly settings: Readonly<Record<string, string | number | boolean>>
}

const versionOf = (manifest: string): string =>
  (createRequire(import.meta.url)(manifest) as { readonly version: string }).version

/** Of both consumers: how long a killed member keeps its partitions from others. */
export const sessionTimeoutMs = 10_000

/** kafkajs at its safest, in settings and in use; tidemark as it comes. */
export const provenClients: readonly ProvenClient[] = [
  {
    name: 'kafkajs',
    version: versionOf('kafkajs/package.json'),
    open: openAwaitedKafkajs,
    settings: {
      acks: 'all',
      idempotent: safest.idempotent ?? false,
      'requests in flight': safest.maxInFlightRequests ?? 'unlimited',
      sends: 'one at a time, awaited, with all records that came meanwhile',
      retries: '5 (its default)',
      'request time-out': '5 s',
      'session time-out of the consumer': `${sessionTimeoutMs / 1_000} s`,
      'commits of the consumer': 'automatic (its default)',
    },
  },
  {
    name: 'tidemark',
    version: versionOf('../../package.json'),
    open: openTidemark,
    settings: {
      acks: 'all (profile cp, its default)',
      idempotent: true,
      'requests in flight': 'its default',
      sends: 'one for each record, none awaited',
      retries: 'until the delivery deadline of 120 s (its default)',
      'request time-out': '5 s (its default)',
      'session time-out of the consumer': `${sessionTimeoutMs / 1_000} s`,
      'commits of the consumer': 'what was handled (its default)',
    },
  },
]
