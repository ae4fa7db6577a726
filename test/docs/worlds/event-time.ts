import type { Message, Topic } from 'tidemark'

export interface Reading {
  readonly sensor: string
  readonly value: number
  readonly at: string
}
export declare const readings: Topic<Reading>
export declare function judgeAll(readings: readonly Message<Reading>[]): Promise<void>
export declare function judge(reading: Reading, timestamp: number | undefined): void
export declare function alarm(sensor: string, lastSeen: number): void
