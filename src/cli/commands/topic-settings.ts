/** A setting that is made what the definition says. */
export interface AlteredSetting {
  readonly name: string
  readonly from: string
  readonly to: string
}

/** Settings of which more keeps more, or takes more; -1 is without end where it may stand. */
const raised: ReadonlySet<string> = new Set([
  'retention.ms',
  'retention.bytes',
  'delete.retention.ms',
  'max.message.bytes',
])

/**
 * Whether a setting of a topic may be altered without asking further: nothing that is kept is deleted by it, nothing that
 * is acknowledged is kept by fewer, and nobody is refused who was not before.
 *
 * | setting | altered |
 * |---------|---------|
 * | `retention.ms`, `retention.bytes`, `delete.retention.ms`, `max.message.bytes` | to more |
 * | `min.insync.replicas` | to more, while one replica may be lost |
 * | `unclean.leader.election.enable` | to `false` |
 * | any other, as `cleanup.policy` | never: told, and left to who runs the cluster |
 */
export function isRaise({ name, from, to }: AlteredSetting, replicas: number): boolean {
  if (name === 'unclean.leader.election.enable') return from === 'true' && to === 'false'
  const [now, then] = [Number(from), Number(to)]
  if (!Number.isFinite(now) || !Number.isFinite(then)) return false
  if (name === 'min.insync.replicas') return then > now && then < replicas
  return raised.has(name) && (then === -1 ? now !== -1 : now !== -1 && then > now)
}
