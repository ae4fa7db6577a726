import { isoTime } from '../message/origin.js'
import { tdHeader, textHeader } from '../message/headers.js'
import type { Header } from '../message/record.js'
import { murmur2 } from '../topic/partitioners.js'
import type { Topic } from '../topic/topic.js'
import { isLetterHeader, type LetterOrigin } from './letter-formats.js'
import type { Letter } from './letter.js'

/** Bytes as they were, of a record that is sent or read back. */
export interface RawRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

export interface OutgoingLetter extends RawRecord {
  /** Where it goes if the topic has it; else its key decides. */
  readonly partition: number | null
}

/** A topic that letters are sent to: each to the partition that it names, as far as the topic has it. */
export function letterTarget(name: string): Topic<OutgoingLetter> {
  return {
    name,
    value: { name: 'letter', encode: ({ value }) => value, decode: refuseToDecode },
    keyOf: ({ key }) => key,
    partitioner: {
      name: 'as-origin',
      create: (random) => {
        const byKey = murmur2().create(random)
        return (input) => {
          const { partition } = input.value as OutgoingLetter
          return partition !== null && partition < input.partitionCount ? partition : byKey(input)
        }
      },
    },
    partitions: -1,
    replicationFactor: -1,
    configs: {},
  }
}

/** Of ours, what stays with a record on all its ways. */
const stays: readonly string[] = [tdHeader.id, tdHeader.firstFailedAt, tdHeader.originTrace]

/**
 * The record as it goes back: its own key, value and headers, without what tells about the failure, so that whoever reads
 * it begins anew with all attempts. Where it first came from and first failed stays, its hops are counted, and
 * `td-redrive-id` names the letter.
 *
 * @param content of the record itself, where the letter is only a pointer to it
 */
export function redrivenRecord(letter: Letter, content: RawRecord, partitions: 'origin' | 'key'): OutgoingLetter {
  const own = content.headers.filter(([name]) => !isLetterHeader(name))
  const ours = [...letter.headers].filter(([name]) => stays.includes(name))
  return {
    key: content.key,
    value: content.value,
    headers: [
      ...own,
      ...ours,
      ...(letter.origin === null ? [] : originHeaders(letter.origin)),
      textHeader(tdHeader.hop, String(letter.hops + 1)),
      textHeader(tdHeader.redriveId, letter.redriveId),
    ],
    partition: partitions === 'origin' ? (letter.origin?.partition ?? null) : null,
  }
}

/** The letter as it stands, for the parking topic. */
export function parkedRecord({ key, value, headers, partition, redriveId }: Letter): OutgoingLetter {
  const own = [...headers].filter(([name]) => name !== tdHeader.redriveId)
  return { key, value, headers: [...own, textHeader(tdHeader.redriveId, redriveId)], partition }
}

function originHeaders({ topic, partition, offset, timestamp }: LetterOrigin): readonly Header[] {
  return [
    textHeader(tdHeader.originTopic, topic),
    ...(partition === null ? [] : [textHeader(tdHeader.originPartition, String(partition))]),
    ...(offset === null ? [] : [textHeader(tdHeader.originOffset, String(offset))]),
    ...(timestamp === null ? [] : [textHeader(tdHeader.originTimestamp, isoTime(timestamp))]),
  ]
}

function refuseToDecode(): never {
  throw new Error('this topic is for sending only')
}
