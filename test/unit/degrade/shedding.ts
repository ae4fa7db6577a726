import { defineTopic, string, type Messaging } from 'tidemark'
import { controlTopic, degradation, type Degradation, type DegradationOptions } from 'tidemark/degrade'

export const work = defineTopic({ name: 'work', value: string(), key: (value) => value })
export const control = controlTopic('work.control')
export const off = { durability: 'off', logger: 'silent' } as const

/** Sheds what is not named to be kept. */
export function shedding(messaging: Messaging, options: Partial<DegradationOptions<string>> = {}): Degradation<string> {
  return degradation<string>(messaging, {
    keep: ({ value }) => value.startsWith('keep'),
    priorityOf: () => 3,
    levels: { 1: { shedFrom: 3 } },
    shedTo: 'work.shed',
    ...options,
  })
}
