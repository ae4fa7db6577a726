import type { SendError } from '../errors.js'
import { isPromised } from '../input/asynchronous.js'
import { messageHeaders } from '../message/headers.js'
import type { OutgoingRecord } from '../message/record.js'
import type { Random } from '../runtime/random.js'
import type { ChoosePartition, Partitioner } from '../topic/partitioner.js'
import type { Topic } from '../topic/topic.js'
import { refuse } from './outgoing-record.js'

/** To which partition of one topic a record goes: by the option of its send, else by the partitioner. */
export class PartitionChoice {
  readonly #random: Random
  readonly #isAvailable: (partition: number) => boolean
  readonly #choosers = new Map<Partitioner, ChoosePartition>()

  constructor(random: Random, isAvailable: (partition: number) => boolean) {
    this.#random = random
    this.#isAvailable = isAvailable
  }

  /** Once per record, whose bytes are whole. Throws `SendError` `invalid-partition`. */
  of(
    topic: Topic,
    value: unknown,
    record: OutgoingRecord,
    partition: number | undefined,
    sizeBytes: number,
    partitionCount: number,
  ): number {
    if (partition !== undefined) {
      checkRange(topic, partition, partitionCount, 'the partition option')
      return partition
    }
    const chosen = this.#ask(topic, {
      topic: topic.name,
      key: record.key,
      headers: messageHeaders(record.headers),
      value,
      partitionCount,
      sizeBytes,
      isAvailable: this.#isAvailable,
    })
    checkRange(topic, chosen, partitionCount, `partitioner ${topic.partitioner.name}`)
    return chosen
  }

  #ask({ name, partitioner }: Topic, input: Parameters<ChoosePartition>[0]): number {
    try {
      let choose = this.#choosers.get(partitioner)
      if (choose === undefined) this.#choosers.set(partitioner, (choose = partitioner.create(this.#random)))
      return choose(input)
    } catch (cause) {
      const message = `partitioner ${partitioner.name} of topic ${name} failed (see cause)`
      throw refuse('invalid-partition', name, message, cause)
    }
  }
}

/** What can be said of the option before the topic is known. Throws `SendError` `invalid-partition`. */
export function checkInteger({ name }: Topic, partition: unknown): void {
  if (Number.isInteger(partition) && (partition as number) >= 0) return
  throw invalid(
    name,
    `the partition option of a send to ${name} is ${partitionCame(partition)}; give an integer of at least 0`,
  )
}

function checkRange({ name }: Topic, partition: unknown, partitionCount: number, chooser: string): void {
  if (Number.isInteger(partition) && (partition as number) >= 0 && (partition as number) < partitionCount) return
  throw invalid(
    name,
    `${chooser} for topic ${name} gave ${partitionCame(partition)}; partitions are integers from 0 to ${partitionCount - 1}`,
  )
}

function invalid(topic: string, message: string): SendError {
  return refuse('invalid-partition', topic, message)
}

function partitionCame(partition: unknown): string {
  if (typeof partition === 'number') return String(partition)
  return isPromised(partition) ? 'a promise' : typeof partition
}
