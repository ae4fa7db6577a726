import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Intake, type IntakeOptions } from './intake.js'

const largestBodyBytes = 8 * 1_048_576

export interface HttpOptions extends IntakeOptions {
  /** Events taken and not acknowledged yet; what would be more is refused with 429. Default 10,000. */
  readonly bufferEvents?: number
  /** How often partitions are told the time. Default 5 s. */
  readonly tellTimeMs?: number
}

/**
 * `POST /events` with a JSON array, or one event a line. Answered when brokers have acknowledged: an answer is a promise.
 *
 * | answer | means |
 * | --- | --- |
 * | 200 | each event is stored: in `raw_events`, `shed` or the dead-letter topic |
 * | 400, 404, 413, 415 | nothing was taken; it will not be better next time |
 * | 429 | nothing was taken: the buffer is full; try again in a second |
 * | 503 | nobody knows what was stored; give it again, ids tell repeats |
 */
export function httpAccess({ bufferEvents = 10_000, tellTimeMs = 5_000, ...options }: HttpOptions): Server {
  const intake = new Intake(options)
  let held = 0
  let bytes = 0

  const take = async (request: IncomingMessage): Promise<Answer> => {
    if (request.method !== 'POST' || request.url !== '/events') return [404, 'expected POST /events']
    if (request.headers['content-encoding'] !== undefined) return [415, 'expected a body that is not compressed']
    // One that does not say how long it is counts as the longest.
    const length = Number(request.headers['content-length'] ?? largestBodyBytes)
    if (length > largestBodyBytes) return [413, `expected at most ${largestBodyBytes} bytes`]
    // Bodies count while they come in, or a thousand slow senders fill the memory.
    if (held >= bufferEvents || bytes + length > 4 * largestBodyBytes) return full
    let events = 0
    bytes += length
    try {
      const inputs = parse(await readBody(request))
      if (inputs === null) return [400, 'expected a JSON array of events, or one event a line']
      if (held > 0 && held + inputs.length > bufferEvents) return full
      held += events = inputs.length
      const taken = await intake.take(inputs).catch(() => null)
      return taken ? [200, taken] : [503, 'not acknowledged in time; give it again']
    } finally {
      held -= events
      bytes -= length
    }
  }
  const server = createServer((request, response) => {
    take(request).then(
      (answer) => reply(response, answer),
      () => response.destroy(),
    )
  })
  // Also while nobody posts: else nothing is missed when nothing comes at all.
  const tellTime = (): Promise<void> => intake.tellTime(Math.floor(Date.now() / 1_000)).catch(() => undefined)
  const clock = setInterval(() => void tellTime(), tellTimeMs).unref()
  return server.once('close', () => clearInterval(clock))
}

type Answer = readonly [status: number, body: unknown]
const full: Answer = [429, 'the buffer is full']

function reply(response: ServerResponse, [status, body]: Answer): void {
  const headers = { 'content-type': 'application/json', ...(status === 429 && { 'retry-after': '1' }) }
  response.writeHead(status, headers).end(`${JSON.stringify(typeof body === 'string' ? { error: body } : body)}\n`)
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > largestBodyBytes) throw new Error('the body is too large')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Agents end messages with NUL or newline. A line that is no JSON is an event all the same, for the dead-letter topic. */
function parse(text: string): readonly unknown[] | null {
  const body = text.replace(/^\ufeff|[\0\s]+$/g, '')
  if (body.trimStart().startsWith('[')) {
    const list = orText(body)
    return Array.isArray(list) ? list : null
  }
  const lines = body.split(/[\0\s]*\n/).filter((line) => line !== '')
  return lines.length === 0 ? null : lines.map((line) => orText(line.replaceAll('\0', '')))
}

function orText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
