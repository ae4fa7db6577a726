import type { Outcome } from '../support/ledger.js'

/** A producer under test, over any client. */
export interface Workload {
  /** Never rejects: a failure is an outcome. Calls for one key are made in order, without waiting for the one before. */
  send(key: string, value: string): Promise<Outcome>
  close(): Promise<void>
}

export interface WorkloadTarget {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly profile: 'ap' | 'cp'
}

export type OpenWorkload = (target: WorkloadTarget) => Promise<Workload>
