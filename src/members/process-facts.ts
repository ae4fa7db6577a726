import { z } from 'zod'
import { thrownText } from '../runtime/thrown.js'

const partition = z.object({
  topic: z.string(),
  partition: z.number(),
  state: z.string(),
  position: z.number(),
  settled: z.number(),
  unsettled: z.number(),
  running: z.number(),
  queued: z.number(),
  pausedBy: z.array(z.string()),
  lastProgressAt: z.number(),
  stalledMs: z.number(),
  waitsFor: z.string().nullable(),
  stoppedBy: z.object({ code: z.string() }).nullable(),
  deadLetterFailures: z.number(),
})

const consumer = z.object({
  client: z.string(),
  group: z.string().nullable(),
  state: z.string(),
  driver: z.object({ memberId: z.string().nullable() }).nullable(),
  partitions: z.array(partition),
  inFlight: z.number(),
  running: z.number(),
  oldestHandlerStartedAt: z.number().nullable(),
})

const reason = z.object({
  code: z.string(),
  gravity: z.enum(['degraded', 'not-ready', 'not-live']),
  text: z.string(),
  remedy: z.string(),
  since: z.number().nullable(),
  group: z.string().nullable(),
  topic: z.string().nullable(),
  partition: z.number().nullable(),
})

const answer = z.object({
  health: z.object({ status: z.string(), reasons: z.array(reason) }),
  facts: z.object({ at: z.number(), consumers: z.array(consumer) }),
})

/** What a process tells of itself; fields of a newer version are left out. */
export type ProcessFacts = z.output<typeof answer>
export type MemberPartition = z.output<typeof partition>
export type MemberReason = z.output<typeof reason>

/** A health server that was asked. */
export interface AskedProcess {
  readonly address: string
  /** `null`: see `failure`. */
  readonly told: ProcessFacts | null
  readonly failure: string | null
}

export interface Asking {
  /** Of their health servers; sent in a header, and never followed to another address. */
  readonly token: string | undefined
  readonly timeoutMs: number
  /** Of one answer; a thousand partitions are half a megabyte. */
  readonly mostBytes: number
  readonly signal: AbortSignal
}

/**
 * Asks health servers for `/facts`. Whom is named by who asks, never by what is in Kafka. Never rejects: who does not
 * answer is told, and keeps nothing else from being seen.
 */
export function askProcesses(addresses: readonly URL[], asking: Asking): Promise<readonly AskedProcess[]> {
  return Promise.all(addresses.map((address) => ask(address, asking)))
}

async function ask(address: URL, { token, timeoutMs, mostBytes, signal }: Asking): Promise<AskedProcess> {
  const named = address.host
  try {
    const response = await fetch(new URL('/facts', address), {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    const text = await bounded(response, mostBytes)
    if (!response.ok) return { address: named, told: null, failure: failureText(response.status) }
    return { address: named, told: answer.parse(JSON.parse(text)), failure: null }
  } catch (error) {
    return { address: named, told: null, failure: `it did not tell its facts: ${reasonOf(error, timeoutMs)}` }
  }
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof z.ZodError || error instanceof SyntaxError) return 'what it answered are none'
  const { name, message } = thrownText(error)
  if (name === 'TimeoutError') return `no answer within ${timeoutMs} ms`
  // fetch says what went wrong in the cause alone.
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined ? message : thrownText(cause).message
}

function failureText(status: number): string {
  if (status === 401) return 'it wants another token'
  if (status === 404) return 'it has no /facts: give its healthServer a token'
  if (status === 421) return 'it is not served under this name: add it to hosts of its healthServer'
  return `it answered ${status}`
}

/** An answer that does not end must not fill the memory. */
async function bounded(response: Response, mostBytes: number): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body ?? []) {
    bytes += part.byteLength
    if (bytes > mostBytes) throw new Error(`it answered more than ${mostBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
