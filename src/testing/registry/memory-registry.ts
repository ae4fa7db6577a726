import { anything, optionProblem, type Rules } from '../../input/option-rules.js'
import { systemClock, type Clock } from '../../runtime/clock.js'
import type { RegistryAnswer, RegistryRequest, RegistryTransport } from '../../registry/transport.js'

/** What `memoryRegistry` is given. */
export interface MemoryRegistryOptions {
  /**
   * Whether a schema may be the next version of its subject, given the text of both. Default: every one may. For Avro:
   * `canRead` of `tidemark/avro`.
   */
  readonly isCompatible?: ((next: unknown, latest: unknown) => boolean) | undefined
  /** For answers that take a while. Default: the system's. */
  readonly clock?: Clock | undefined
}

const rules: Rules<MemoryRegistryOptions> = {
  isCompatible: { expected: 'a function, as canRead', accepts: (value) => typeof value === 'function' },
  clock: anything,
}

/** A schema registry in this process, and what it can be made to do wrong. */
export interface MemoryRegistry extends RegistryTransport {
  /** Every request so far, as `GET /schemas/ids/1`. */
  readonly requests: readonly string[]
  /** How long each answer takes. */
  delayMs: number
  /** `down`: no answer; `silent`: none, and no error either. */
  state: 'up' | 'down' | 'silent'
  /** What the next request is answered, whatever it asks for. May be called several times. */
  answerNext(answer: RegistryAnswer): void
  /** The next request is carried out, and its answer is lost. */
  loseNextAnswer(): void
  /** Forgets a schema, as a registry that was set up anew has. */
  forget(id: number): void
}

interface Kept {
  readonly id: number
  readonly schema: string
  readonly schemaType: string | undefined
  readonly references: unknown
}

/**
 * Answers as Confluent's API does, without a network: `schemaRegistry({ transport: memoryRegistry() })`. Ids count from 1;
 * the same schema has the same id under every subject.
 */
export function memoryRegistry(options: MemoryRegistryOptions = {}): MemoryRegistry {
  const problem = optionProblem('memoryRegistry()', options, rules)
  if (problem !== null) throw problem
  return new InProcessRegistry(options)
}

class InProcessRegistry implements MemoryRegistry {
  readonly address = 'memory'
  readonly requests: string[] = []
  delayMs = 0
  state: MemoryRegistry['state'] = 'up'
  readonly #isCompatible: (next: unknown, latest: unknown) => boolean
  readonly #clock: Clock
  readonly #schemas = new Map<number, Kept>()
  readonly #ids = new Map<string, number>()
  readonly #subjects = new Map<string, number[]>()
  readonly #answers: (RegistryAnswer | 'lost')[] = []

  constructor({ isCompatible = () => true, clock = systemClock }: MemoryRegistryOptions) {
    this.#isCompatible = isCompatible
    this.#clock = clock
  }

  answerNext(answer: RegistryAnswer): void {
    this.#answers.push(answer)
  }

  loseNextAnswer(): void {
    this.#answers.push('lost')
  }

  forget(id: number): void {
    this.#schemas.delete(id)
  }

  async send(request: RegistryRequest, signal: AbortSignal): Promise<RegistryAnswer> {
    this.requests.push(`${request.method} ${request.path}`)
    if (this.delayMs > 0) await this.#clock.sleep(this.delayMs, signal)
    if (this.state === 'silent') return await this.#clock.sleep(2 ** 30, signal).then(() => never())
    if (this.state === 'down') throw refused()
    const planned = this.#answers.shift()
    if (planned !== undefined && planned !== 'lost') return planned
    const answer = this.#answer(request)
    if (planned === 'lost') throw refused()
    return answer
  }

  #answer({ method, path, body }: RegistryRequest): RegistryAnswer {
    const [route = '', ...rest] = path.split('?')[0]!.slice(1).split('/').map(decodeURIComponent)
    const given = body === null ? null : (JSON.parse(body) as Omit<Kept, 'id'>)
    if (route === 'schemas' && rest[0] === 'ids') return this.#byId(Number(rest[1]))
    if (route === 'subjects' && rest.length === 0) return told([...this.#subjects.keys()])
    const [subject = '', , version] = route === 'compatibility' ? rest.slice(1) : rest
    if (route === 'compatibility' && given !== null) return this.#compatibility(subject, given)
    if (route !== 'subjects') return problem(404, 404, 'HTTP 404 Not Found')
    if (method === 'POST' && given !== null) {
      return rest.length === 2 ? this.#register(subject, given) : this.#lookUp(subject, given)
    }
    return version === undefined ? this.#versions(subject) : this.#version(subject, version)
  }

  #byId(id: number): RegistryAnswer {
    const kept = this.#schemas.get(id)
    if (kept === undefined) return problem(404, 40403, `Schema ${id} not found`)
    return told(shown(kept))
  }

  #register(subject: string, given: Omit<Kept, 'id'>): RegistryAnswer {
    if (given.schemaType === undefined && !isJson(given.schema)) return problem(422, 42201, 'Invalid schema')
    const known = this.#idOf(given)
    const versions = this.#subjects.get(subject) ?? []
    if (known !== null && versions.includes(known)) return told({ id: known })
    if (!this.#fits(subject, given)) {
      return problem(
        409,
        409,
        `Schema being registered is incompatible with an earlier schema for subject "${subject}"`,
      )
    }
    const id = known ?? this.#ids.size + 1
    this.#schemas.set(id, { ...given, id })
    this.#ids.set(nameOf(given), id)
    this.#subjects.set(subject, [...versions, id])
    return told({ id })
  }

  #lookUp(subject: string, given: Omit<Kept, 'id'>): RegistryAnswer {
    const versions = this.#subjects.get(subject)
    if (versions === undefined) return noSubject(subject)
    const id = this.#idOf(given)
    if (id === null || !versions.includes(id)) return problem(404, 40403, 'Schema not found')
    return told({ ...shown(this.#schemas.get(id) as Kept), subject, id, version: versions.indexOf(id) + 1 })
  }

  #versions(subject: string): RegistryAnswer {
    const versions = this.#subjects.get(subject)
    return versions === undefined ? noSubject(subject) : told(versions.map((_, index) => index + 1))
  }

  #version(subject: string, version: string): RegistryAnswer {
    const versions = this.#subjects.get(subject)
    if (versions === undefined) return noSubject(subject)
    const number = version === 'latest' ? versions.length : Number(version)
    const kept = this.#schemas.get(versions[number - 1] ?? -1)
    if (kept === undefined) return problem(404, 40402, `Version ${version} not found.`)
    return told({ ...shown(kept), subject, id: kept.id, version: number })
  }

  #compatibility(subject: string, given: Omit<Kept, 'id'>): RegistryAnswer {
    return this.#subjects.has(subject) ? told({ is_compatible: this.#fits(subject, given) }) : noSubject(subject)
  }

  #fits(subject: string, { schema }: Omit<Kept, 'id'>): boolean {
    const latest = this.#schemas.get(this.#subjects.get(subject)?.at(-1) ?? -1)
    return latest === undefined || this.#isCompatible(schema, latest.schema)
  }

  #idOf(given: Omit<Kept, 'id'>): number | null {
    return this.#ids.get(nameOf(given)) ?? null
  }
}

/** The same schema has the same id. */
function nameOf({ schema, schemaType = 'AVRO' }: Omit<Kept, 'id'>): string {
  return `${schemaType} ${schema}`
}

function shown({ schema, schemaType, references }: Kept): object {
  return { schema, ...(schemaType !== undefined && { schemaType }), ...(references !== undefined && { references }) }
}

function told(json: unknown): RegistryAnswer {
  return { status: 200, body: JSON.stringify(json) }
}

function problem(status: number, code: number, message: string): RegistryAnswer {
  return { status, body: JSON.stringify({ error_code: code, message }) }
}

function noSubject(subject: string): RegistryAnswer {
  return problem(404, 40401, `Subject '${subject}' not found.`)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function refused(): Error {
  return Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
}

function never(): never {
  throw new Error('a silent registry does not answer')
}
