import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { disorderSeconds } from './arrivals.js'
import { Intake, type IntakeOptions } from './intake.js'

const largestBodyBytes = 8 * 1_048_576

export interface HttpOptions extends IntakeOptions {
  /** Events taken and not acknowledged yet; what would be more is refused with 429. Default 10,000. */
  readonly bufferEvents?: number
}

/**
 * `POST /events` with a JSON array, or one event a line. Answered when brokers have acknowledged: an answer is a promise.
 *
 * | answer | means |
 * | --- | --- |
 * | 200 | each event is stored: in `raw_events`, `shed` or the dead-letter topic |
 * | 400, 404, 413 | nothing was taken; it will not be better next time |
 * | 429 | nothing was taken: the buffer is full; try again in a second |
 * | 503 | nobody knows what was stored; give it again, ids tell repeats |
 */
export function httpAccess({ bufferEvents = 10_000, ...options }: HttpOptions): Server {
  const intake = new Intake(options)
  let held = 0
  let bytes = 0

  const take = async (request: IncomingMessage): Promise<Answer> => {
    if (request.method !== 'POST' || request.url !== '/events') return [404, 'expected POST /events']
    // One that does not say how long it is counts as the longest.
    const length = Number(request.headers['content-length'] ?? largestBodyBytes)
    if (length > largestBodyBytes) return [413, `expected at most ${largestBodyBytes} bytes`]
    // Bodies count while they come in, or a thousand slow senders fill the memory.
    if (held >= bufferEvents || bytes + length > 4 * largestBodyBytes) return full
    bytes += length
    try {
      const inputs = parse(await readBody(request))
      if (inputs === null) return [400, 'expected a JSON array of events, or one event a line']
      if (held > 0 && held + inputs.length > bufferEvents) return full
      held += inputs.length
      try {
        const taken = await intake.take(inputs)
        await intake.tellTime(Math.floor(Date.now() / 1_000) - disorderSeconds)
        return [200, taken]
      } catch {
        return [503, 'not acknowledged in time; give it again']
      } finally {
        held -= inputs.length
      }
    } finally {
      bytes -= length
    }
  }
  return createServer((request, response) => {
    take(request).then(
      (answer) => reply(response, answer),
      () => response.destroy(),
    )
  })
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
  const body = text.replace(/[\0\s]+$/, '')
  if (body.trimStart().startsWith('[')) {
    const list = orText(body)
    return Array.isArray(list) ? list : null
  }
  return body === '' ? null : body.split('\n').map((line) => orText(line.replaceAll('\0', '')))
}

function orText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
