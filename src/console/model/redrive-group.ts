import { linkOf } from './frame.js'
import type { GroupSight, Sight } from './sight.js'

/** A redrive by a page of a console that is not running: it was stopped, its console was killed, or it has done all. */
export interface RestingRedrive {
  readonly group: string
  readonly link: string
  readonly topic: string
  /** Letters, at most, that it has not come to; `null`: nobody could see. */
  readonly left: number | null
}

/** The consumer group that keeps the progress of a redrive. */
export function redriveGroup(topic: string, hash: string): string {
  return `redrive-${topic}-${hash}`
}

const form = /^redrive-(.+)-[0-9a-f]{12}$/

/** Dead-letter topic of the redrive that this is the group of; `null`: of none. */
export function redrivenTopicOf({ group, partitions }: Pick<GroupSight, 'group' | 'partitions'>): string | null {
  const topic = form.exec(group)?.[1] ?? null
  // Anybody may call a group so; who reads something else is none.
  return partitions.every((one) => one.topic === topic) ? topic : null
}

export function restingRedrives({
  groups,
  letterTopics,
}: Pick<Sight, 'groups' | 'letterTopics'>): readonly RestingRedrive[] {
  return groups.flatMap((one) => {
    const topic = redrivenTopicOf(one)
    if (topic === null || one.members.length > 0) return []
    const { letters } = letterTopics.find((of) => of.topic === topic) ?? { letters: null }
    // Where it has committed nothing it has passed nothing.
    const passed = one.partitions.reduce((sum, { committed, start }) => sum + Math.max(0, (committed ?? 0) - start), 0)
    const left = letters === null || one.lag === null ? null : Math.max(0, letters - passed)
    return [{ group: one.group, link: linkOf('group', one.group), topic, left }]
  })
}
