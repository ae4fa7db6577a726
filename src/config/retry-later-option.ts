import { z } from 'zod'
import { DelayLevels } from '../retry/delay-levels.js'
import { delayMs, delayText } from '../retry/delays.js'
import { isDelayName } from '../topic/delay-topic-name.js'
import { isTopicName, topicNameRule } from '../topic/topic-definition.js'
import type { Topic } from '../topic/topic.js'
import { isPatternTopic } from '../topic/topic-pattern.js'

/** The option with all that was left out. */
export interface ResolvedRetryLater {
  readonly group: string
  readonly levels: DelayLevels
  readonly order: 'key' | 'none'
  /** What waits for its turn while a record waits in its place. */
  readonly lanes: 'partition' | 'key' | 'none'
}

const delay = z
  .custom<unknown>(
    (value) => delayMs(value) !== null,
    "a time such as '30s', '10m', '2h' or a number of ms, up to 24 days",
  )
  .transform((value) => delayMs(value) as number)

export const retryLaterOption = z
  .strictObject({
    delays: z
      .array(delay)
      .min(1)
      .max(10)
      .describe("times such as ['1m', '10m'], 1 to 10, each longer than the one before"),
    order: z
      .enum(['key', 'none'])
      .default('key')
      .describe("'key': what follows in a key waits with what failed; 'none': it goes on"),
    name: z
      .string()
      .min(1)
      .optional()
      .describe('a text that stands in the names of the delay topics instead of the group'),
  })
  .optional()
  .describe('delay topics for what failed in place: { delays, order, name }')

type Option = z.output<typeof retryLaterOption>

interface Others {
  readonly group: string | null
  readonly topics: readonly Topic[]
  readonly order: 'partition' | 'key' | 'none'
  readonly handle?: unknown
  readonly reorder?: unknown
  readonly retryLater?: Option
}

/** What no single option can tell. */
export function checkRetryLater(
  { group, topics, order, handle, reorder, retryLater }: Others,
  issues: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): void {
  if (retryLater === undefined) return
  const refuse = (path: string[], message: string) => {
    issues.addIssue({ code: 'custom', path: ['retryLater', ...path], message })
  }
  if (group === null) return refuse([], 'nothing, or a group: without one nobody keeps how far its topics are read')
  if (topics.some(isPatternTopic))
    return refuse([], 'nothing, with a pattern: delay topics are made beforehand, one set for each topic')
  if (reorder != null) return refuse([], 'nothing, with reorder: what is put off would come back behind its time')
  const { delays, name = group } = retryLater
  const notLonger = delays.findIndex((one, index) => index > 0 && one <= (delays[index - 1] ?? 0))
  if (notLonger > 0)
    refuse(['delays', String(notLonger)], `longer than ${delayText(delays[notLonger - 1] ?? 0)}, the one before`)
  if (retryLater.order === 'key' && handle === undefined)
    refuse(['order'], "'none' with handleBatch or loop: records of a key are kept together one by one, with handle")
  if (retryLater.order === 'key' && handle !== undefined && order === 'none')
    refuse(['order'], "'none', as order of the consumer is: nothing keeps the records of a key in order")
  if (!isDelayName(name))
    refuse(['name'], 'a text that neither begins with "retry." nor has ".retry." in it, for the names of delay topics')
  const illegal = new DelayLevels(topics, name, delays).topics.find((one) => !isTopicName(one))
  if (illegal === undefined) return
  const cause = retryLater.name === undefined ? `, for the group makes "${illegal.slice(0, 80)}" of it` : ''
  refuse(['name'], `a text that makes the name of a topic (${topicNameRule})${cause}`)
}

export function resolveRetryLater(
  option: Option,
  group: string | null,
  topics: readonly Topic[],
  lanes: ResolvedRetryLater['lanes'],
): ResolvedRetryLater | null {
  if (option === undefined || group === null) return null
  return { group, levels: new DelayLevels(topics, option.name ?? group, option.delays), order: option.order, lanes }
}
