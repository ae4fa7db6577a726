import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { ApiName, Apis } from '../../../../src/connection/requests/apis.js'
import { apis } from '../../../../src/wire/apis.js'
import { Reader } from '../../../../src/wire/reader.js'
import { Writer } from '../../../../src/wire/writer.js'
import { encodeAnswer } from '../../wire/answers.js'

/** One request as it came in. */
export interface Seen {
  readonly api: ApiName | 'saslHandshake' | 'saslAuthenticate'
  readonly version: number
  readonly correlationId: number
  readonly clientId: string | null
  readonly body: Buffer
  /** Which connection it came over, counted from 0. */
  readonly connection: number
  readonly socket: Socket
}

const nameByKey = new Map<number, Seen['api']>([
  [17, 'saslHandshake'],
  [36, 'saslAuthenticate'],
  ...Object.entries(apis).map(([name, { key }]) => [key, name as ApiName] as const),
])

/** A server that speaks Kafka's framing and does what the test says with each request. */
export class ScriptedBroker {
  readonly seen: Seen[] = []
  readonly sockets: Socket[] = []
  readonly #server: Server
  readonly #script: (request: Seen, broker: ScriptedBroker) => void

  private constructor(script: (request: Seen, broker: ScriptedBroker) => void, tls: TlsOptions | undefined) {
    this.#script = script
    this.#server = tls
      ? createTlsServer(tls, (socket) => this.#serve(socket))
      : createServer((socket) => this.#serve(socket))
  }

  /** Answers ApiVersions by itself unless the script does; everything else is the script's. */
  static async start(
    script: (request: Seen, broker: ScriptedBroker) => void = () => {},
    tls?: TlsOptions,
  ): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(script, tls)
    await new Promise<void>((resolve) => broker.#server.listen(0, '127.0.0.1', resolve))
    return broker
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  get live(): number {
    return this.sockets.filter((socket) => !socket.destroyed).length
  }

  /** Requests after the handshake. */
  get requests(): Seen[] {
    return this.seen.filter(({ api }) => api !== 'apiVersions' && !api.startsWith('sasl'))
  }

  answer<Name extends ApiName>(request: Seen, answer: Apis[Name]['answer']): void {
    this.reply(request, encodeAnswer(request.api as Name, answer, request.version, request.correlationId))
  }

  /** A frame that begins with a correlation id. */
  reply({ socket }: Seen, frame: Buffer): void {
    const length = Buffer.alloc(4)
    length.writeInt32BE(frame.length)
    socket.write(Buffer.concat([length, frame]))
  }

  /**
   * As a broker does that knows ApiVersions no newer than this: asked in a newer one it refuses in the oldest form.
   *
   * @param newest of other requests, where it is older than we are
   */
  answerVersions(request: Seen, newestApiVersions = 4, newest: Partial<Record<ApiName, number>> = {}): void {
    const knows = request.version <= newestApiVersions
    const ofApis = Object.entries(apis).map(([name, { key, min, max }]) => {
      const last = newest[name as ApiName] ?? max
      return { apiKey: key, min: Math.min(min, last), max: last }
    })
    const offered = [
      { apiKey: apis.apiVersions.key, min: 0, max: newestApiVersions },
      ...ofApis.filter(({ apiKey }) => knows && apiKey !== apis.apiVersions.key),
      ...(knows ? [17, 36].map((apiKey) => ({ apiKey, min: 0, max: 1 })) : []),
    ]
    const features = { finalizedFeatures: [], finalizedFeaturesEpoch: -1 }
    const answer = { throttleTimeMs: 0, errorCode: knows ? 0 : 35, offered, ...features }
    this.reply(request, encodeAnswer('apiVersions', answer, knows ? request.version : 0, request.correlationId))
  }

  answerSaslHandshake(request: Seen, mechanisms: readonly string[]): void {
    this.#write(request, (writer) => {
      writer.int16(mechanisms.length > 0 ? 0 : 33)
      writer.array(mechanisms, (mechanism) => writer.string(mechanism))
    })
  }

  answerSaslAuthenticate(request: Seen, errorCode: number, bytes = Buffer.alloc(0), sessionLifetimeMs = 0): void {
    this.#write(request, (writer) => {
      writer.int16(errorCode)
      writer.nullableString(errorCode === 0 ? null : 'Authentication failed: Invalid username or password')
      writer.nullableBytes(bytes)
      writer.int64(sessionLifetimeMs)
    })
  }

  #write(request: Seen, write: (writer: Writer) => void): void {
    const writer = new Writer()
    writer.int32(request.correlationId)
    write(writer)
    this.reply(request, Buffer.concat(writer.finish()))
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #serve(socket: Socket): void {
    const connection = this.sockets.push(socket) - 1
    socket.setNoDelay(true)
    let rest = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const end = 4 + rest.readInt32BE(0)
        this.#take(rest.subarray(4, end), connection, socket)
        rest = rest.subarray(end)
      }
    })
  }

  #take(frame: Buffer, connection: number, socket: Socket): void {
    const reader = new Reader(frame)
    const api = nameByKey.get(reader.int16())!
    const version = reader.int16()
    const correlationId = reader.int32()
    const clientId = reader.nullableString()
    const body = frame.subarray(frame.length - reader.remaining)
    const request: Seen = { api, version, correlationId, clientId, body, connection, socket }
    this.seen.push(request)
    const before = socket.bytesWritten
    this.#script(request, this)
    if (api === 'apiVersions' && socket.bytesWritten === before && !socket.destroyed && !this.silentHandshake) {
      this.answerVersions(request)
    }
  }

  silentHandshake = false
}

/** Polls, because a socket's end is nobody's promise; bounded. */
export async function eventually(check: () => boolean, what: string, limitMs = 60_000): Promise<void> {
  const until = Date.now() + limitMs
  while (!check()) {
    if (Date.now() > until) throw new Error(`not within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
