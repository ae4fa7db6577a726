/** One request to a schema registry. */
export interface RegistryRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the address of the registry, with its query: `/schemas/ids/17`. */
  readonly path: string
  /** JSON text. */
  readonly body: string | null
}

/** What a registry answered: the status of HTTP, and the text. */
export interface RegistryAnswer {
  readonly status: number
  readonly body: string
}

/** How one address of a registry is reached. */
export interface RegistryTransport {
  /** For messages, without credentials. */
  readonly address: string
  /** Rejects when there was no answer, and when `signal` aborts. */
  send(request: RegistryRequest, signal: AbortSignal): Promise<RegistryAnswer>
}
