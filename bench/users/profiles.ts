/** How long what users do is measured, and how much of it. */
export interface Profile {
  readonly rounds: number
  /** Rows without goals, and competitors of whom no goal of a row speaks. */
  readonly more: 'everything' | 'of main rows' | 'nothing'
  readonly warmMs: number
  /** How long sends are measured, and how many at least, of who is quick. */
  readonly sendMs: number
  readonly sent: number
  readonly slowMs: number
  readonly awaitedMs: number
  /** In topics that are read, of 200 bytes; those of 1,000 have a quarter of it. */
  readonly read: number
  readonly latencyMs: number
  readonly restMs: number
}

export const profiles = {
  trial: {
    ...{ rounds: 1, more: 'everything', warmMs: 500, sendMs: 1_000, sent: 0, slowMs: 1_000, awaitedMs: 1_000 },
    ...{ read: 100_000, latencyMs: 2_000, restMs: 2_000 },
  },
  short: {
    ...{ rounds: 1, more: 'of main rows', warmMs: 2_000, sendMs: 3_000, sent: 0, slowMs: 8_000, awaitedMs: 8_000 },
    ...{ read: 2_000_000, latencyMs: 6_000, restMs: 10_000 },
  },
  goals: {
    ...{ rounds: 3, more: 'nothing', warmMs: 3_000, sendMs: 5_000, sent: 1_000_000, slowMs: 8_000, awaitedMs: 10_000 },
    ...{ read: 3_000_000, latencyMs: 10_000, restMs: 60_000 },
  },
  full: {
    ...{ rounds: 3, more: 'everything', warmMs: 5_000, sendMs: 10_000, sent: 2_000_000, slowMs: 30_000 },
    ...{ awaitedMs: 30_000, read: 6_500_000, latencyMs: 60_000, restMs: 60_000 },
  },
} as const satisfies Readonly<Record<string, Profile>>

export type ProfileName = keyof typeof profiles
export const profileNames = Object.keys(profiles) as readonly ProfileName[]
export const isProfile = (name: string): name is ProfileName => Object.hasOwn(profiles, name)
