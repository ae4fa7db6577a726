import { z } from 'zod'
import { isTopic } from '../consumer/options/consumer-schema.js'
import type { Topic } from '../topic/topic.js'
import { resolveOptions } from './resolve-options.js'
import { isPatternTopic } from '../topic/topic-pattern.js'

const schema = z.strictObject({
  topics: z
    .array(
      z
        .custom<Topic>((value) => isTopic(value) && !isPatternTopic(value as Topic))
        .describe('a topic made by defineTopic, no pattern'),
    )
    .describe('topics made by defineTopic'),
})

/** Throws `ConfigError` unless all are topics. */
export function resolveTopics(subject: string, topics: readonly Topic[]): readonly Topic[] {
  return resolveOptions(subject, schema, { topics }).topics
}
