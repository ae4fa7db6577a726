import { useCallback, useEffect, useState } from 'preact/hooks'

/** Why something was not done: a sentence for whoever sits there. */
export interface Problem {
  readonly code: string
  readonly message: string
}

class Failed extends Error {
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.message)
    this.problem = problem
  }
}

const name = 'tidemark-token'

/** Of a browser to one host. */
const mostConnections = 6

/** The address that the console prints has the token behind `#`: it is sent to nobody. It is kept as long as the tab is open. */
export function takeToken(): void {
  const [, token] = /^#token=([0-9a-f]{8,64})$/.exec(location.hash) ?? []
  if (token === undefined) return
  keepToken(token)
  history.replaceState(history.state, '', '#/overview')
}

export function keepToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(name)
  else sessionStorage.setItem(name, token.trim())
}

export function hasToken(): boolean {
  return sessionStorage.getItem(name) !== null
}

/** @throws Failed with what the console answered, or why it did not */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const token = sessionStorage.getItem(name)
  const headers = token === null ? {} : { authorization: `Bearer ${token}` }
  const ask = () => fetch(path, { ...init, headers: { ...headers, ...init.headers } })
  let response: Response
  try {
    response = await ask()
    // Said of no request that the console has read: a browser opens connections ahead, and has that answer of one that it
    // left unused for too long.
    for (let ahead = 0; response.status === 408 && ahead < mostConnections; ahead += 1) response = await ask()
  } catch (error) {
    if (init.signal?.aborted === true) throw error
    throw new Failed({ code: 'no-answer', message: 'The console does not answer: has it ended? Start it again.' })
  }
  if (response.ok) return response
  if (response.status === 401) {
    keepToken(null)
    throw new Failed({ code: 'token', message: 'This needs the token that the console printed when it was started.' })
  }
  throw new Failed(await problemOf(response))
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text()
  try {
    const { code, message } = JSON.parse(text) as Partial<Problem>
    return { code: code ?? String(response.status), message: message ?? text }
  } catch {
    return { code: String(response.status), message: text }
  }
}

async function read<Value>(path: string, query: object, signal?: AbortSignal): Promise<Value> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '')
  const search = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString()
  const response = await request(`${path}${search === '' ? '' : `?${search}`}`, signal === undefined ? {} : { signal })
  return (await response.json()) as Value
}

export async function write<Value>(path: string, body: unknown): Promise<Value> {
  const headers = { 'content-type': 'application/json' }
  const response = await request(path, { method: 'POST', headers, body: JSON.stringify(body) })
  return (await response.json()) as Value
}

export function problemFrom(error: unknown): Problem {
  return error instanceof Failed ? error.problem : { code: 'defect', message: 'The page failed; load it again.' }
}

export interface Asked<Value> {
  readonly value: Value | null
  readonly problem: Problem | null
  readonly isAsking: boolean
  readonly again: (more?: object) => void
}

/** Asks once, and again when the question changes or somebody wants it; what was answered stays until the next answer. */
export function useAsked<Value>(path: string, query: object): Asked<Value> {
  const [state, setState] = useState<Omit<Asked<Value>, 'again'>>({ value: null, problem: null, isAsking: true })
  const [more, setMore] = useState<{ readonly times: number; readonly query: object }>({ times: 0, query: {} })
  const asked = JSON.stringify([path, query])
  useEffect(() => {
    const stop = new AbortController()
    setState((before) => ({ ...before, isAsking: true }))
    read<Value>(path, { ...query, ...more.query }, stop.signal).then(
      (value) => setState({ value, problem: null, isAsking: false }),
      (error: unknown) => {
        if (!stop.signal.aborted) setState(({ value }) => ({ value, problem: problemFrom(error), isAsking: false }))
      },
    )
    return () => stop.abort()
  }, [asked, more])
  const again = useCallback((query: object = {}) => setMore(({ times }) => ({ times: times + 1, query })), [])
  return { ...state, again }
}
