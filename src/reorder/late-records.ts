import type { Handling } from '../consumer/handling/at-least-once.js'
import { Discard } from '../consumer/handling/fate.js'
import type { HandlerCall } from '../consumer/handling/handler-call.js'
import type { HandlerContext } from '../consumer/handling/handler.js'
import { textHeader } from '../message/headers.js'
import type { Message } from '../message/message.js'
import { originHeaders } from '../message/origin.js'
import type { Header, ReceivedRecord } from '../message/record.js'
import { ownHeaders } from '../topic/own-headers.js'
import { murmur2 } from '../topic/partitioners.js'
import type { Topic } from '../topic/topic.js'
import type { LatePolicy } from './reorder-options.js'

/** Headers of late records on their side topic, beside those of their origin (`tdHeader`). Numbers are decimal text. */
export const lateHeader = {
  /** How far it was behind what was let go already, in ms of event time. */
  lateByMs: 'td-late-by-ms',
  /** The watermark it was behind, ms since the Unix epoch. */
  watermark: 'td-watermark',
} as const

type HandleLate = (message: Message, context: HandlerContext) => void | Promise<void>

/** What is done with late records in place of the handler. Middleware, retries and dead letters are around it as around that. */
export function lateAside(handling: Handling, late: LatePolicy): Handling {
  const handleLate = lateHandler(late)
  if (handleLate === null) return handling
  if (handling.kind === 'each') {
    const { handle } = handling
    const chosen: HandleLate = (message, context) =>
      isLate(context) ? handleLate(message, context) : handle(message, context)
    return { kind: 'each', handle: chosen }
  }
  const { handleBatch } = handling
  return {
    kind: 'batch',
    // A late record is a batch of its own.
    handleBatch: (messages, context) =>
      isLate(context) ? handleLate(messages[0] as Message, context) : handleBatch(messages, context),
  }
}

function isLate({ order }: HandlerContext): boolean {
  return order !== null && order.late !== null
}

function lateHandler(late: LatePolicy): HandleLate | null {
  switch (late.policy) {
    case 'deliver':
      return null
    case 'drop':
      return () => {
        throw new Discard('it came behind the watermark')
      }
    case 'callback':
      return late.onLate
    case 'side-topic': {
      const topic = lateTopic(late.topic)
      return async (message, context) => {
        const { firstRecord } = (context as HandlerCall).work
        const record = { ...firstRecord, headers: ownHeaders(message.topic, firstRecord.headers) }
        const headers = [...record.headers, ...lateHeaders(message, record, context)]
        await context.send(topic, record, { headers, timestamp: message.timestamp })
      }
    }
  }
}

function lateHeaders(message: Message, record: ReceivedRecord, { order }: HandlerContext): readonly Header[] {
  const watermark = order?.watermark ?? -Infinity
  return [
    ...originHeaders(message, record),
    textHeader(lateHeader.lateByMs, String(order?.late?.lateByMs ?? 0)),
    ...(watermark === -Infinity ? [] : [textHeader(lateHeader.watermark, String(watermark))]),
  ]
}

/** Bytes stay as they are, and records of one key stay together. */
function lateTopic(name: string): Topic<ReceivedRecord> {
  return {
    name,
    value: {
      name: 'late',
      encode: ({ value }) => value,
      decode: () => {
        throw new Error('this topic is for sending only')
      },
    },
    keyOf: ({ key }) => key,
    partitioner: murmur2(),
    partitions: -1,
    replicationFactor: -1,
    configs: {},
  }
}
