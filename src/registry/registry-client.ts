import { ConfigError } from '../errors.js'
import { isRecord } from '../input/shapes.js'
import { exponential, type Backoff } from '../runtime/backoff.js'
import type { Runtime } from '../runtime/runtime.js'
import { isWorthAsking, readAnswer } from './answers.js'
import { RegistryError } from './registry-error.js'
import type { RegisteredSchema, SchemaReference, SchemaRegistry, SubjectVersion } from './schema.js'
import type { RegistryRequest, RegistryTransport } from './transport.js'

export interface RegistryClientParts {
  /** At least one. */
  readonly transports: readonly RegistryTransport[]
  /** Of one request at one address. */
  readonly timeoutMs: number
  /** How often a request that failed is tried again, at the next address. */
  readonly retries: number
  readonly runtime: Runtime
}

const between: Backoff = exponential({ initialMs: 100, maxMs: 2_000 })

/**
 * Speaks Confluent's API. Every request may be made twice without harm, so what fails is tried again: at the next address
 * first, and from there on later requests begin with the address that answered. The same request at the same time is made once.
 */
export class RegistryClient implements SchemaRegistry {
  readonly #parts: RegistryClientParts
  readonly #underWay = new Map<string, Promise<Record<string, unknown>>>()
  /** The address that answered last. */
  #first = 0

  constructor(parts: RegistryClientParts) {
    this.#parts = parts
  }

  async schemaById(id: number): Promise<RegisteredSchema> {
    return schemaOf(await this.#ask({ method: 'GET', path: `/schemas/ids/${id}`, body: null }))
  }

  async register(subject: string, schema: RegisteredSchema): Promise<number> {
    return idIn(await this.#ask({ method: 'POST', path: `${pathOf(subject)}/versions`, body: bodyOf(schema) }), subject)
  }

  async idOf(subject: string, schema: RegisteredSchema): Promise<number> {
    return idIn(await this.#ask({ method: 'POST', path: pathOf(subject), body: bodyOf(schema) }), subject)
  }

  latest(subject: string): Promise<SubjectVersion> {
    return this.#version(subject, 'latest')
  }

  version(subject: string, version: number): Promise<SubjectVersion> {
    return this.#version(subject, version)
  }

  async isCompatible(subject: string, schema: RegisteredSchema): Promise<boolean> {
    const path = `/compatibility${pathOf(subject)}/versions/latest`
    try {
      const answer = await this.#ask({ method: 'POST', path, body: bodyOf(schema) })
      return answer.is_compatible === true
    } catch (error) {
      const isNew = error instanceof RegistryError && ['subject-not-found', 'version-not-found'].includes(error.code)
      if (isNew) return true
      throw error
    }
  }

  async #version(subject: string, version: number | 'latest'): Promise<SubjectVersion> {
    const answer = await this.#ask({ method: 'GET', path: `${pathOf(subject)}/versions/${version}`, body: null })
    const number = answer.version
    if (typeof number !== 'number') throw unreadable(`a version of subject ${subject} without its number`)
    return { ...schemaOf(answer), subject, version: number, id: idIn(answer, subject) }
  }

  #ask(request: RegistryRequest): Promise<Record<string, unknown>> {
    const name = `${request.method} ${request.path} ${request.body ?? ''}`
    let asked = this.#underWay.get(name)
    if (asked === undefined) {
      asked = this.#askUntilTold(request).finally(() => this.#underWay.delete(name))
      this.#underWay.set(name, asked)
    }
    return asked
  }

  async #askUntilTold(request: RegistryRequest): Promise<Record<string, unknown>> {
    const { transports, retries, runtime } = this.#parts
    for (let failures = 0; ;) {
      const at = this.#first
      try {
        return await this.#askOnce(transports[at] as RegistryTransport, request)
      } catch (error) {
        if (!isWorthAsking(error) || failures >= retries) throw error
        // Another may have moved on from it meanwhile.
        if (this.#first === at) this.#first = (at + 1) % transports.length
      }
      failures += 1
      // The next address is asked at once; when all were asked, they are left alone for a while.
      if (failures % transports.length === 0) {
        await runtime.clock.sleep(between(failures / transports.length, runtime.random))
      }
    }
  }

  async #askOnce(transport: RegistryTransport, request: RegistryRequest): Promise<Record<string, unknown>> {
    const { timeoutMs, runtime } = this.#parts
    const over = new AbortController()
    const timer = runtime.clock.setTimer(timeoutMs, () => over.abort())
    try {
      return readAnswer(request, transport.address, await transport.send(request, over.signal))
    } catch (cause) {
      if (cause instanceof RegistryError) throw cause
      throw unreachable(transport.address, over.signal.aborted ? timeoutMs : null, cause)
    } finally {
      timer.cancel()
    }
  }
}

function pathOf(subject: string): string {
  return `/subjects/${encodeURIComponent(subject)}`
}

/** As a registry writes it: Avro goes without its type, since old ones do not know the field. */
function bodyOf(given: RegisteredSchema): string {
  if (!isRecord(given) || typeof given.schema !== 'string') {
    const fix = "write { schema: text, schemaType: 'AVRO', references: [] }, with the schema as JSON text"
    throw new ConfigError('schemaRegistry()', [{ path: 'schema', message: 'is no schema as registries keep it', fix }])
  }
  const { schema, schemaType = 'AVRO', references = [] } = given
  return JSON.stringify({
    schema,
    ...(schemaType !== 'AVRO' && { schemaType }),
    ...(references.length > 0 && { references }),
  })
}

function schemaOf(answer: Record<string, unknown>): RegisteredSchema {
  const { schema, schemaType = 'AVRO', references = [] } = answer
  if (typeof schema !== 'string') throw unreadable('a schema that is no text')
  if (schemaType !== 'AVRO' && schemaType !== 'JSON' && schemaType !== 'PROTOBUF') {
    throw unreadable('a schema of a kind that is not known here')
  }
  if (!Array.isArray(references) || !references.every(isReference))
    throw unreadable('references that cannot be followed')
  return { schema, schemaType, references }
}

function isReference(value: unknown): value is SchemaReference {
  if (!isRecord(value)) return false
  return typeof value.name === 'string' && typeof value.subject === 'string' && typeof value.version === 'number'
}

/** The id goes out as four bytes. */
function idIn({ id }: Record<string, unknown>, subject: string): number {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 31) return id as number
  throw unreadable(`no id for a schema of subject ${subject}`)
}

function unreadable(came: string): RegistryError {
  return new RegistryError('registry-failed', `the schema registry answered with ${came}; look at what answers there`)
}

function unreachable(address: string, timeoutMs: number | null, cause: unknown): RegistryError {
  const problem = timeoutMs === null ? `cannot be reached${reasonOf(cause)}` : `did not answer within ${timeoutMs} ms`
  const message = `the schema registry at ${address} ${problem}; look at the address and whether it runs`
  return new RegistryError('registry-unreachable', message, null, { retriable: true, cause })
}

/** ECONNREFUSED and its like; what else an error says may hold a credential. */
function reasonOf(cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: unknown }
  return typeof code === 'string' && /^[A-Z_0-9]+$/.test(code) ? ` (${code})` : ''
}
