/** What the process ends with. Stable: scripts go by it. */
export const exitCode = {
  /** Done; nothing to mend. */
  fine: 0,
  /** Done, and something was found: a group is behind, topics differ, a name is not known. */
  found: 1,
  /** Wrong arguments or settings, or a change that nobody said yes to. Nothing was changed. */
  wrongUse: 2,
  /** The cluster did not answer in time. */
  unreachable: 3,
  /** The cluster, or a rule of ours, said no. */
  refused: 4,
  /** The command itself failed. */
  defect: 5,
  /** Ended by a signal. */
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCode)[keyof typeof exitCode]
