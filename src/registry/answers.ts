import { isRecord } from '../input/shapes.js'
import { RegistryError, type RegistryErrorCode } from './registry-error.js'
import type { RegistryAnswer, RegistryRequest } from './transport.js'

/** What the error codes of Confluent's API say; Apicurio answers them too. */
const codes: Readonly<Record<number, RegistryErrorCode>> = {
  40401: 'subject-not-found',
  40402: 'version-not-found',
  40403: 'schema-not-found',
  42201: 'schema-invalid',
  42202: 'version-not-found',
}

const statuses: Readonly<Record<number, RegistryErrorCode>> = {
  401: 'registry-denied',
  403: 'registry-denied',
  409: 'schema-incompatible',
  422: 'schema-invalid',
  429: 'registry-failed',
}

/** What helps whoever reads the error. */
const advice: Readonly<Partial<Record<RegistryErrorCode, string>>> = {
  'registry-failed': 'look at the registry, and whether the address leads to it with its whole path',
  'registry-denied': 'look at the credentials, and at what they are allowed',
  'schema-incompatible':
    'give new fields a default and take none away that has none, or change the compatibility of the subject',
}

/** A message of a registry may hold a whole schema. */
const mostText = 400

/** The body of an answer that gave what was asked for. Throws `RegistryError` for any other. */
export function readAnswer(request: RegistryRequest, address: string, answer: RegistryAnswer): Record<string, unknown> {
  const { status, body } = answer
  const json = parsed(body)
  if (status >= 200 && status < 300) {
    if (json !== null) return json
    throw failed(request, address, answer, 'registry-failed', `answers with ${kindOf(body)} where JSON belongs`)
  }
  if (status === 404 && codeOf(json) === null) {
    throw failed(
      request,
      address,
      answer,
      'registry-failed',
      `answers 404 with ${kindOf(body)}, not as a registry does`,
    )
  }
  const said = typeof json?.message === 'string' ? `: ${json.message.slice(0, mostText)}` : ` with ${kindOf(body)}`
  throw failed(request, address, answer, codeFor(status, json), `answers ${status}${said}`)
}

/** The same request may have another end, here or at another address. */
export function isWorthAsking(error: unknown): boolean {
  return !(error instanceof RegistryError) || error.retriable
}

function failed(
  { method, path }: RegistryRequest,
  address: string,
  { status }: RegistryAnswer,
  code: RegistryErrorCode,
  problem: string,
): RegistryError {
  const help = advice[code]
  const message = `the schema registry at ${address} ${problem} (${method} ${path})${help === undefined ? '' : `; ${help}`}`
  return new RegistryError(code, message, status, { retriable: code === 'registry-failed' })
}

function codeFor(status: number, json: Record<string, unknown> | null): RegistryErrorCode {
  const said = codeOf(json)
  if (said !== null && codes[said] !== undefined) return codes[said]
  if (statuses[status] !== undefined) return statuses[status]
  return status >= 500 ? 'registry-failed' : 'registry-refused'
}

function codeOf(json: Record<string, unknown> | null): number | null {
  return typeof json?.error_code === 'number' ? json.error_code : null
}

function parsed(body: string): Record<string, unknown> | null {
  try {
    const json: unknown = JSON.parse(body)
    return isRecord(json) ? json : null
  } catch {
    return null
  }
}

function kindOf(body: string): string {
  if (body.trim() === '') return 'nothing'
  return /^\s*<(?:!doctype|html)/i.test(body) ? 'a web page' : 'text that is no JSON object'
}
