import { z } from 'zod'
import type { Reading } from '../../letters/read-records.js'
import type { ResetPosition } from '../../operations/group-offsets.js'
import { memberName } from '../model/group-views.js'
import { resetView, type ResetView } from '../model/reset-view.js'

/** Where a group is asked to go on. */
export const resetQuery = z.strictObject({
  group: z.string().min(1).max(1_000),
  topic: z.string().min(1).max(249).optional(),
  /** `earliest`, `latest`, an offset, so many records on or back, or a time with its zone. */
  to: z
    .string()
    .max(40)
    .regex(/^(earliest|latest|[+-]?\d{1,15}|\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2}))$/),
})

/** A dry run: shows where a group would go on, and who keeps it from that. */
export async function lookAtReset(
  { messaging, timeoutMs }: Reading,
  { group, topic, to }: z.output<typeof resetQuery>,
): Promise<ResetView> {
  const { admin } = messaging
  const call = { timeoutMs }
  const topics = topic === undefined ? undefined : [topic]
  const [resets, described] = await Promise.all([
    admin.resetOffsets(group, { to: positionOf(to), topics, dryRun: true, ...call }),
    admin.describeGroups([group], call),
  ])
  const members = described.flatMap((one) => one.members).map((one) => memberName(one))
  return resetView(group, `${to}${topic === undefined ? '' : ` --topic ${topic}`}`, resets, members)
}

function positionOf(to: string): ResetPosition {
  if (to === 'earliest' || to === 'latest') return to
  if (/^[+-]/.test(to)) return { shiftBy: Number(to) }
  return /^\d+$/.test(to) ? { offset: Number(to) } : { timestamp: Date.parse(to) }
}
