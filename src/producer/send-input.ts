import type { SendError } from '../errors.js'
import { came } from '../input/came.js'
import { unknownOption } from '../input/option-rules.js'
import type { Topic } from '../topic/topic.js'
import { noSendOptions, refuse, type SendOptions } from './outgoing-record.js'
import type { SendManyOptions } from './send-many.js'

/** What was given for a topic may be none: its own check comes later. */
type Named = Pick<Topic, 'name'> | null | undefined

const manyNames = namesOf<SendManyOptions>({
  key: true,
  headers: true,
  partition: true,
  timestamp: true,
  timeoutMs: true,
  signal: true,
})
const sendNames: ReadonlySet<string> = new Set([...manyNames, ...namesOf<Pick<SendOptions, 'id'>>({ id: true })])

/** Throws `SendError` unless these can be the options of a send. Runs for every record: no lists, no copies. */
export function requireSendOptions(topic: Named, options: unknown): void {
  if (options !== noSendOptions) requireNames('send', topic, options, sendNames)
}

/** Throws `SendError` unless `sendMany` can be called with these. */
export function requireSendMany(topic: Named, values: unknown, options: unknown): void {
  if (!Array.isArray(values)) {
    throw refuse('invalid-values', topic?.name, `the values of a sendMany are ${typeof values}; give an array`)
  }
  if (typeof options === 'object' && options !== null && 'id' in options) {
    throw invalid('sendMany', topic, 'id would be the same for all', 'send each record that needs one by itself')
  }
  requireNames('sendMany', topic, options, manyNames)
}

function requireNames(call: string, topic: Named, options: unknown, names: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(call, topic, `options ${came(options)}`, 'give an object')
  }
  for (const name in options) {
    if (names.has(name)) continue
    const { message, fix } = unknownOption(name, [...names])
    throw invalid(call, topic, `${name} ${message}`, fix)
  }
}

function invalid(call: string, topic: Named, what: string, fix: string): SendError {
  return refuse('invalid-options', topic?.name, `${call} to ${topic?.name}: ${what}; ${fix}`)
}

function namesOf<Options>(names: { readonly [Name in keyof Options]-?: true }): ReadonlySet<string> {
  return new Set(Object.keys(names))
}
