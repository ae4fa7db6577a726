import { tdHeader } from '../message/headers.js'
import { headerText } from '../message/origin.js'
import type { Header } from '../message/record.js'
import { isNamedForDelay } from './delay-topic-name.js'

/**
 * Were these headers handed on with another record? A handler that copies the headers of what it handles to what it sends
 * hands on what ours say of that one: where it came from, when, how often it failed. It is not true of the new record.
 *
 * | a record names an origin, and                  | that is |
 * |------------------------------------------------|---------|
 * | it is in that topic: it was sent back           | its own |
 * | it tells why it failed (`td-reason`): a letter  | its own |
 * | it is in a delay topic                          | its own |
 * | none of these                                   | another's |
 *
 * @param topic where the record stands
 */
export function isHandedOn(topic: string, headers: readonly Header[]): boolean {
  const origin = headerText(headers, tdHeader.originTopic)
  if (origin === undefined || origin === topic || isNamedForDelay(topic)) return false
  return !headers.some(([name]) => name === tdHeader.reason)
}

/** Without what ours say of another record. The identity stays: it is the sender's word. */
export function ownHeaders(topic: string, headers: readonly Header[]): readonly Header[] {
  return isHandedOn(topic, headers) ? headers.filter(([name]) => !ofRecord.has(name)) : headers
}

const ofRecord: ReadonlySet<string> = new Set(Object.values(tdHeader).filter((name) => name !== tdHeader.id))
