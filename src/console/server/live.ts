import { z } from 'zod'
import { frameOf, type Frame } from '../model/frame.js'
import {
  groupsView,
  groupView,
  partitionView,
  type GroupsView,
  type GroupView,
  type PartitionView,
} from '../model/group-views.js'
import { overviewOf, type Overview } from '../model/overview.js'
import { restingRedrives, type RestingRedrive } from '../model/redrive-group.js'
import type { Sight } from '../model/sight.js'
import type { LetterTopic } from '../../letters/letter-topics.js'

/** More rows at once nobody reads; a page that wants them says so. */
const wanted = { filter: z.string().max(249).optional(), most: z.coerce.number().int().min(1).max(1_000).default(60) }

/** What a page looks at, as it asks for it. */
export const watched = z.discriminatedUnion('view', [
  z.strictObject({ view: z.literal('overview') }),
  z.strictObject({ view: z.literal('groups'), order: z.enum(['worst', 'behind', 'name']).default('worst'), ...wanted }),
  z.strictObject({ view: z.literal('group'), group: z.string(), ...wanted }),
  z.strictObject({
    view: z.literal('partition'),
    group: z.string(),
    topic: z.string(),
    partition: z.coerce.number().int().min(0),
  }),
  z.strictObject({ view: z.literal('letters') }),
  z.strictObject({ view: z.literal('other') }),
])

export type Watched = z.output<typeof watched>

/** What is told at each look: the frame, and of the rest only what the page shows. */
export type Live =
  | { readonly view: 'overview'; readonly frame: Frame; readonly overview: Overview }
  | { readonly view: 'groups'; readonly frame: Frame; readonly groups: GroupsView }
  | { readonly view: 'group'; readonly frame: Frame; readonly group: GroupView | null }
  | { readonly view: 'partition'; readonly frame: Frame; readonly partition: PartitionView | null }
  | {
      readonly view: 'letters'
      readonly frame: Frame
      readonly topics: readonly LetterTopic[]
      readonly resting: readonly RestingRedrive[]
    }
  /** Views that are asked for, and not told at each look. */
  | { readonly view: 'other'; readonly frame: Frame }

export function liveOf(sight: Sight, wanted: Watched, now: number): Live {
  const frame = frameOf(sight, now)
  switch (wanted.view) {
    case 'overview':
      return { view: 'overview', frame, overview: overviewOf(sight) }
    case 'groups':
      return { view: 'groups', frame, groups: groupsView(sight, wanted, wanted.order) }
    case 'group':
      return { view: 'group', frame, group: groupView(sight, wanted.group, wanted) }
    case 'partition':
      return { view: 'partition', frame, partition: partitionView(sight, wanted.group, wanted.topic, wanted.partition) }
    case 'letters':
      return { view: 'letters', frame, topics: sight.letterTopics, resting: restingRedrives(sight) }
    case 'other':
      return { view: 'other', frame }
  }
}
