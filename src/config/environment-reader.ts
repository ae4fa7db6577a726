import type { ConfigIssue } from '../errors.js'

/** Environment variables, for example `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

const yes = ['true', '1', 'yes', 'on']
const no = ['false', '0', 'no', 'off']

/** Reads variables and collects what is wrong with them, so that all of it is reported at once. An empty variable is none. */
export class EnvironmentReader {
  readonly issues: ConfigIssue[] = []
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  text(name: string): string | undefined {
    const value = this.#environment[name]?.trim()
    return value === '' ? undefined : value
  }

  /** Exactly as it is: spaces may belong to a password. */
  secret(name: string): string | undefined {
    const value = this.#environment[name]
    return value === '' ? undefined : value
  }

  flag(name: string): boolean | undefined {
    const text = this.text(name)?.toLowerCase()
    if (text === undefined) return undefined
    if (yes.includes(text)) return true
    if (no.includes(text)) return false
    this.refuse(name, 'is neither yes nor no', `write ${[...yes, ...no].join(', ')}`)
    return undefined
  }

  choice<Value extends string>(name: string, values: readonly Value[]): Value | undefined {
    const text = this.text(name)?.toLowerCase()
    const value = values.find((one) => one === text)
    if (text !== undefined && value === undefined) {
      this.refuse(name, 'is none of the values there are', `write ${values.join(' or ')}`)
    }
    return value
  }

  refuse(path: string, message: string, fix: string): void {
    this.issues.push({ path, message, fix })
  }
}
