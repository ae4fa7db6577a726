import { z } from 'zod'
import { thrownText } from '../../runtime/thrown.js'
import type { MemberFacts, PartitionFactsSight } from '../model/sight.js'

/** A member of a group as its own process tells it. */
export interface KnownMember extends MemberFacts {
  readonly group: string
  readonly memberId: string | null
  readonly partitions: ReadonlyMap<string, PartitionFactsSight>
}

export interface ProcessAnswer {
  readonly address: string
  readonly members: readonly KnownMember[]
  /** `null`: it answered. */
  readonly failure: string | null
}

const waitMs = 2_000
const mostBytes = 1_048_576

const partition = z.object({
  topic: z.string(),
  partition: z.number(),
  state: z.string(),
  settled: z.number(),
  position: z.number(),
  unsettled: z.number(),
  running: z.number(),
  queued: z.number(),
  waitsFor: z.string().nullable(),
  stalledMs: z.number(),
  stoppedBy: z.object({ code: z.string() }).nullable(),
  pausedBy: z.array(z.string()),
  deadLetterFailures: z.number(),
})

const consumer = z.object({
  group: z.string().nullable(),
  driver: z.object({ memberId: z.string().nullable() }).nullable(),
  partitions: z.array(partition),
  inFlight: z.number(),
  running: z.number(),
  oldestHandlerStartedAt: z.number().nullable(),
})

const answer = z.object({ facts: z.object({ consumers: z.array(consumer) }) })

/**
 * Asks health servers for `/facts`. What is asked is named by whoever started the console, never by what is in Kafka; no
 * redirect is followed. A process that does not answer is told, and keeps nothing else from being seen.
 */
export function askProcesses(
  addresses: readonly string[],
  token: string | undefined,
  signal: AbortSignal,
): Promise<readonly ProcessAnswer[]> {
  return Promise.all(addresses.map((address) => ask(address, token, signal)))
}

async function ask(address: string, token: string | undefined, signal: AbortSignal): Promise<ProcessAnswer> {
  try {
    const response = await fetch(new URL('/facts', address), {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(waitMs)]),
    })
    const text = await bounded(response)
    if (!response.ok) return { address, members: [], failure: failureText(response.status) }
    const { consumers } = answer.parse(JSON.parse(text)).facts
    return { address, members: consumers.flatMap(memberOf), failure: null }
  } catch (error) {
    return { address, members: [], failure: `it did not tell its facts: ${reasonOf(error)}` }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError || error instanceof SyntaxError) return 'what it answered are none'
  const { name, message } = thrownText(error)
  return name === 'TimeoutError' ? `no answer within ${waitMs} ms` : message
}

function failureText(status: number): string {
  if (status === 401) return 'it wants another token: TIDEMARK_FACTS_TOKEN'
  if (status === 404) return 'it has no /facts: give its healthServer a token'
  return `it answered ${status}`
}

/** An answer that does not end must not fill the memory. */
async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body ?? []) {
    bytes += part.byteLength
    if (bytes > mostBytes) throw new Error(`it answered more than ${mostBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function memberOf({ group, driver, partitions, ...facts }: z.output<typeof consumer>): readonly KnownMember[] {
  if (group === null) return []
  const places = partitions.map(({ topic, partition: number, stoppedBy, ...rest }) => {
    return [`${topic}-${number}`, { ...rest, stoppedBy: stoppedBy?.code ?? null }] as const
  })
  const { inFlight, running, oldestHandlerStartedAt } = facts
  return [
    {
      ...{ group, inFlight, running, oldestHandlerStartedAt },
      memberId: driver?.memberId ?? null,
      partitions: new Map(places),
    },
  ]
}
