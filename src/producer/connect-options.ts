import { optionProblem, type Rules } from '../input/option-rules.js'
import { isRecord, isText } from '../input/shapes.js'
import type { Topic } from '../topic/topic.js'

/** What a producer makes sure of before its first send. */
export interface ConnectOptions {
  /** Topics it will write: that they exist, and that they are kept as the profile promises. */
  readonly topics?: readonly Topic[] | undefined
}

const rules: Rules<ConnectOptions> = {
  topics: {
    expected: 'a list of topics made by defineTopic',
    accepts: (value) => Array.isArray(value) && value.every((topic) => isRecord(topic) && isText(topic['name'])),
  },
}

/** Throws `ConfigError` unless these can be the options of a connect. */
export function topicsToConnect(options: ConnectOptions): readonly string[] {
  const problem = optionProblem('connect', options, rules)
  if (problem !== null) throw problem
  return (options.topics ?? []).map(({ name }) => name)
}
