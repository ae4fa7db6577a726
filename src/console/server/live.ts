import { z } from 'zod'
import { frameOf, type Frame } from '../model/frame.js'
import {
  groupRows,
  groupView,
  partitionView,
  type GroupRow,
  type GroupView,
  type PartitionView,
} from '../model/group-views.js'
import { overviewOf, type Overview } from '../model/overview.js'
import type { Sight } from '../model/sight.js'
import type { LetterTopic } from '../../letters/letter-topics.js'

/** What a page looks at, as it asks for it. */
export const watched = z.discriminatedUnion('view', [
  z.strictObject({ view: z.literal('overview') }),
  z.strictObject({ view: z.literal('groups') }),
  z.strictObject({ view: z.literal('group'), group: z.string() }),
  z.strictObject({
    view: z.literal('partition'),
    group: z.string(),
    topic: z.string(),
    partition: z.coerce.number().int().min(0),
  }),
  z.strictObject({ view: z.literal('letters') }),
])

export type Watched = z.output<typeof watched>

/** What is told at each look: the frame, and of the rest only what the page shows. */
export type Live =
  | { readonly view: 'overview'; readonly frame: Frame; readonly overview: Overview }
  | { readonly view: 'groups'; readonly frame: Frame; readonly rows: readonly GroupRow[] }
  | { readonly view: 'group'; readonly frame: Frame; readonly group: GroupView | null }
  | { readonly view: 'partition'; readonly frame: Frame; readonly partition: PartitionView | null }
  | { readonly view: 'letters'; readonly frame: Frame; readonly topics: readonly LetterTopic[] }

export function liveOf(sight: Sight, wanted: Watched): Live {
  const frame = frameOf(sight)
  switch (wanted.view) {
    case 'overview':
      return { view: 'overview', frame, overview: overviewOf(sight) }
    case 'groups':
      return { view: 'groups', frame, rows: groupRows(sight) }
    case 'group':
      return { view: 'group', frame, group: groupView(sight, wanted.group) }
    case 'partition':
      return { view: 'partition', frame, partition: partitionView(sight, wanted.group, wanted.topic, wanted.partition) }
    case 'letters':
      return { view: 'letters', frame, topics: sight.letterTopics }
  }
}
