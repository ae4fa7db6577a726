import type { Context } from '@opentelemetry/api'
import type { Header } from '../message/record.js'

interface Reader {
  read(headers: readonly Header[]): Context
}

/** The context of a record, read when somebody asks for what is in it: most handlers of what is not sampled never do. */
export class ContextOfHeaders implements Context {
  readonly #reader: Reader
  readonly #headers: readonly Header[]
  #known: Context | null = null

  constructor(reader: Reader, headers: readonly Header[]) {
    this.#reader = reader
    this.#headers = headers
  }

  getValue(key: symbol): unknown {
    return this.#whole().getValue(key)
  }

  setValue(key: symbol, value: unknown): Context {
    return this.#whole().setValue(key, value)
  }

  deleteValue(key: symbol): Context {
    return this.#whole().deleteValue(key)
  }

  #whole(): Context {
    return (this.#known ??= this.#reader.read(this.#headers))
  }
}
